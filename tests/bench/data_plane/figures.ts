// What the table shows: every figure, which way is better, and the ratios that are aimed at.

import { pairedRatio, type Rounds, type Spread, spreadOf } from "./statistics.ts";

/** What --only takes. */
export const GROUPS = ["connections", "bulk", "rtt", "memory", "startup"] as const;
export type Group = typeof GROUPS[number];

/** Whom the table compares, in the order of its columns; the first is the limit, not a proxy. */
export const SUBJECTS = [
  "direct",
  "splice",
  "portable",
  "guarded",
  "haproxy",
  "haproxy-splice",
  "haproxy-log",
  "nginx",
  "go",
] as const;
export type SubjectName = typeof SUBJECTS[number];

/** Whom we are compared with, ourselves on the other engine included. */
export const RIVALS = [
  "haproxy",
  "haproxy-splice",
  "haproxy-log",
  "nginx",
  "go",
  "portable",
  "guarded",
] as const;
export type RivalName = typeof RIVALS[number];

/** Those to whom a ratio is aimed at; the table has a column for each. */
export const COMPARED: readonly RivalName[] = [
  "haproxy",
  "haproxy-splice",
  "haproxy-log",
  "go",
  "portable",
  "guarded",
];

/** The ratio ours / rival that is aimed at, by rival; a rival without one is only reported. */
export type Targets = Readonly<Partial<Record<RivalName, number>>>;

export interface Figure {
  readonly id: string;
  readonly group: Group;
  readonly title: string;
  /** Whether a greater value is the better one. */
  readonly moreIsBetter: boolean;
  readonly targets: Targets;
}

export const CONCURRENCIES = [1, 16, 64] as const;
export const STREAMS = [1, 4] as const;

/** How round trips are measured: the message's pace, and what runs beside it. */
export const PING_MODES = ["idle", "busy", "paced copy", "full copy"] as const;
export type PingMode = typeof PING_MODES[number];

const PING_TITLES: Readonly<Record<PingMode, string>> = {
  "idle": "idle",
  "busy": "100 under way at once",
  "paced copy": "beside a copy at 400 MB/s",
  "full copy": "beside an unbounded copy",
};

const NO_TARGETS: Targets = {};

/** Both ways of HAProxy are to be beaten by as much. */
function targets(haproxy: number, go: number, portable: number): Targets {
  return { haproxy, "haproxy-splice": haproxy, "haproxy-log": haproxy, go, portable };
}

function figure(
  id: string,
  group: Group,
  title: string,
  moreIsBetter: boolean,
  targets: Targets = NO_TARGETS,
): Figure {
  return { id, group, title, moreIsBetter, targets };
}

/** Every figure, in the order of the table's lines. */
export const FIGURES: readonly Figure[] = [
  ...CONCURRENCIES.map((count) =>
    figure(
      `connections.${count}`,
      "connections",
      `connections/s, ${count} at a time`,
      true,
      { ...targets(1.05, 1.2, 1.6), "haproxy-log": 1 },
    )
  ),
  ...CONCURRENCIES.map((count) =>
    figure(
      `connection_cpu.${count}`,
      "connections",
      `CPU per connection, ${count} at a time [us]`,
      false,
      { ...targets(0.9, 0.8, 0.6), "haproxy-log": 1.05 },
    )
  ),
  ...CONCURRENCIES.map((count) =>
    figure(
      `connection_user.${count}`,
      "connections",
      `user time per connection, ${count} at a time [us]`,
      false,
      { "haproxy-log": 1.05 },
    )
  ),
  ...STREAMS.map((count) =>
    figure(
      `bulk_cpu.${count}`,
      "bulk",
      `CPU per GB, ${streams(count)} [s]`,
      false,
      targets(0.5, 0.55, 0.43),
    )
  ),
  ...STREAMS.map((count) =>
    figure(`bulk_rate.${count}`, "bulk", `throughput, ${streams(count)} [GB/s]`, true)
  ),
  ...PING_MODES.flatMap((mode) => [
    figure(`rtt.${mode}.p50`, "rtt", `RTT p50, ${PING_TITLES[mode]} [us]`, false, targets(1, 1, 1)),
    figure(`rtt.${mode}.p99`, "rtt", `RTT p99, ${PING_TITLES[mode]} [us]`, false, targets(1, 1, 1)),
  ]),
  // With all messages under way at once the limit is queueing, so nothing is "added" there.
  ...PING_MODES.filter((mode) => mode !== "busy").flatMap((mode) => [
    figure(`added.${mode}.p50`, "rtt", `added to RTT p50, ${PING_TITLES[mode]} [us]`, false),
    figure(`added.${mode}.p99`, "rtt", `added to RTT p99, ${PING_TITLES[mode]} [us]`, false),
  ]),
  figure("copy_rate", "rtt", "the unbounded copy meanwhile [GB/s]", true),
  figure(
    "memory",
    "memory",
    "resident memory per idle session [bytes]",
    false,
    targets(0.3, 0.15, 0.02),
  ),
  figure("startup", "startup", "start until the first session is served [ms]", false),
];

function streams(count: number): string {
  return count === 1 ? "1 stream" : `${count} streams`;
}

/** Measurements by figure (or by another name, for what only the footer tells), then by subject. */
export class Measurements {
  readonly #rounds = new Map<string, Map<SubjectName, (number | undefined)[]>>();

  /** Takes a value of a round, counted from 0. */
  record(id: string, subject: SubjectName, round: number, value: number): void {
    const bySubject = this.#rounds.get(id) ?? new Map<SubjectName, (number | undefined)[]>();
    this.#rounds.set(id, bySubject);
    const rounds = bySubject.get(subject) ?? [];
    bySubject.set(subject, rounds);
    while (rounds.length < round) rounds.push(undefined);
    rounds[round] = value;
  }

  rounds(id: string, subject: SubjectName): Rounds {
    return this.#rounds.get(id)?.get(subject) ?? [];
  }

  spread(id: string, subject: SubjectName): Spread | undefined {
    return spreadOf(this.rounds(id, subject));
  }
}

/** Ours / rival, and what was aimed at. */
export interface Judged {
  readonly ratio: number;
  readonly target?: number;
  /** Present with a target. */
  readonly met?: boolean;
}

/** Compares two subjects in a figure; undefined when either was not measured in any common round. */
export function judge(
  figure: Figure,
  ours: SubjectName,
  rival: RivalName,
  measured: Measurements,
): Judged | undefined {
  if (ours === rival) return undefined;
  const ratio = pairedRatio(measured.rounds(figure.id, ours), measured.rounds(figure.id, rival));
  if (ratio === undefined) return undefined;
  const target = figure.targets[rival];
  if (target === undefined) return { ratio };
  return { ratio, target, met: figure.moreIsBetter ? ratio >= target : ratio <= target };
}

/** The target as it stands beside a ratio. */
export function describeTarget(figure: Figure, target: number): string {
  return `${figure.moreIsBetter ? ">=" : "<="} ${target}`;
}
