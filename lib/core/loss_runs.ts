// Decides whether a backend that has lost its last sessions, every one of them, has done so by chance.
// One per pool: what is usual there is learnt from the other backends.

/** How a session fared. The later ones are the worse. */
export type Outcome =
  /** It stood for long, or its client ended it. */
  | "lived"
  /** The backend ended it within seconds. */
  | "died_young"
  /** The same, without having said a byte. */
  | "stillborn"
  /** The client sent something, heard nothing at all for seconds, and gave up. */
  | "mute";

const SEVERITY = { lived: 0, died_young: 1, stillborn: 2, mute: 3 } as const;

/** A session of which is known how it fared. */
export interface Fared {
  readonly client: string;
  readonly openedMs: number;
  readonly outcome: Outcome;
}

/** One kind of loss that a run can be made of: all outcomes of this severity or above. */
interface Kind {
  readonly severity: number;
  /** What is believed before anything is seen, as sessions lost and not lost. */
  readonly priorLost: number;
  readonly priorKept: number;
  /** A run must last so long: a burst of guessed passwords comes in one go. */
  readonly leastMs: number;
  /** Whether sessions that stand speak against it. Mute ones stand as well. */
  readonly standingDoubts: boolean;
  readonly words: string;
}

/**
 * Sessions that die young are everywhere: passwords are guessed, scanners knock. Only a backend's own
 * silence is always strange, so that alone convicts when nothing is known of the others.
 */
const KINDS: readonly Kind[] = [
  {
    severity: 3,
    priorLost: 1,
    priorKept: 99,
    leastMs: 0,
    standingDoubts: false,
    words: "it said nothing to its last %n sessions",
  },
  {
    severity: 2,
    priorLost: 1,
    priorKept: 99,
    leastMs: 0,
    standingDoubts: true,
    words: "it ended its last %n sessions within seconds, without a word",
  },
  {
    severity: 1,
    priorLost: 1,
    priorKept: 3,
    leastMs: 30_000,
    standingDoubts: true,
    words: "it ended its last %n sessions within seconds",
  },
];

/** A run as unlikely as this is no chance: once in ten million sessions. */
const SURE = 1e-7;
/** What is usual is forgotten by 1/e in this time, and what is usual of late in that. */
const USUAL_MS = 14_400_000;
const LATE_MS = 600_000;
/** What is usual weighs at most as much as so many sessions: clienteles change. */
const USUAL_MOST = 100;
/** A run that has not grown for so long is none. */
const STALE_MS = 3_600_000;
/** One client's losses count so often in a run: they may be its own fault. */
const PER_CLIENT = 2;
/** From so many addresses a run must come, if the pool sees so many. */
const LEAST_CLIENTS = 3;
/** Addresses that are remembered. */
const CLIENTS = 1024;
/** Longer runs say no more. */
const LONGEST_RUN = 1024;

/** Sessions lost and kept, forgotten with time. */
class Count {
  lost = 0;
  kept = 0;
  #atMs = 0;

  constructor(readonly memoryMs: number) {}

  fade(nowMs: number): void {
    const keep = Math.exp(-Math.max(0, nowMs - this.#atMs) / this.memoryMs);
    this.#atMs = nowMs;
    this.lost *= keep;
    this.kept *= keep;
  }
}

/** What is known of one backend and one kind of loss. */
class Track {
  readonly usual = new Count(USUAL_MS);
  readonly late = new Count(LATE_MS);
  /** The run: how often each client counts in it, and the sum. */
  readonly clients = new Map<string, number>();
  length = 0;
  firstMs = 0;
  lastMs = 0;

  observe(session: Fared, uncapped: boolean, lost: boolean, nowMs: number): void {
    const { client, openedMs } = session;
    for (const count of [this.usual, this.late]) {
      count.fade(nowMs);
      if (lost) count.lost++;
      else count.kept++;
    }
    // One that stood before the run began tells nothing of what came then.
    if (lost ? nowMs - this.lastMs > STALE_MS : openedMs >= this.firstMs) {
      this.clients.clear();
      this.length = 0;
    }
    if (!lost) return;
    if (this.length === 0) this.firstMs = nowMs;
    this.lastMs = nowMs;
    const before = this.clients.get(client) ?? 0;
    if ((before >= PER_CLIENT && !uncapped) || this.length >= LONGEST_RUN) return;
    this.clients.set(client, before + 1);
    this.length++;
  }
}

/**
 * Keeps runs of lost sessions by backend, and judges them.
 *
 * A run convicts when it would be a wonder if the backend were as the others are. Of the others K
 * sessions were lost and M - K were not, so the next n sessions of one like them are all lost with the
 * chance ∏ (a + K + j) / (a + b + M + j), j from 0 to n - 1: the beta-binomial distribution's last term,
 * which is what Bayes makes of a Beta(a, b) prior. With p of the sessions lost everywhere (passwords are
 * guessed) it takes about log(1e-7) / log p of them: 5 at 1 %, 7 at 10 %, 23 at 50 %, 153 at 90 %.
 *
 * That sessions are independent is what the formula believes and the world denies, so: a single session
 * that lives breaks a run; a client counts twice at most, unless it fares well elsewhere; three clients
 * it must be; those that stand speak against a run; and what the others lose of late counts twice.
 */
export class LossRuns {
  readonly #tracks = new Map<string, readonly Track[]>();
  /** When sessions of an address last lived; the one that was heard of longest ago first. */
  readonly #clients = new Map<string, number>();

  /** Takes in how a session fared. @returns whether no run of losses goes on there. */
  observe(id: string, session: Fared, nowMs: number): boolean {
    const { client, outcome } = session;
    let tracks = this.#tracks.get(id);
    if (tracks === undefined) this.#tracks.set(id, tracks = KINDS.map(() => new Track()));
    const livedMs = this.#clients.get(client) ?? -Infinity;
    this.#clients.delete(client);
    this.#clients.set(client, outcome === "lived" ? nowMs : livedMs);
    const [oldest] = this.#clients.keys();
    if (this.#clients.size > CLIENTS && oldest !== undefined) this.#clients.delete(oldest);
    // Behind one address may sit everybody there is.
    const uncapped = nowMs - livedMs < USUAL_MS || this.#clients.size < LEAST_CLIENTS;
    KINDS.forEach(({ severity }, index) => {
      tracks[index]?.observe(session, uncapped, SEVERITY[outcome] >= severity, nowMs);
    });
    return tracks.every(({ length }) => length === 0);
  }

  /** Backends whose runs are so long that they are worth a judgement. */
  suspects(least: number): string[] {
    return [...this.#tracks].filter(([, tracks]) => tracks.some(({ length }) => length >= least))
      .map(([id]) => id);
  }

  /**
   * Judges a backend's runs.
   * @param others those that tell what is usual.
   * @param least the shortest run that can convict, 1 or more.
   * @param hasOlder whether sessions that began since then stand there and are out of their youth.
   * @returns what it is guilty of, in words; undefined: nothing.
   */
  judge(
    id: string,
    others: ReadonlySet<string>,
    least: number,
    nowMs: number,
    hasOlder: (sinceMs: number) => boolean,
  ): string | undefined {
    const tracks = this.#tracks.get(id) ?? [];
    for (const [index, kind] of KINDS.entries()) {
      const track = tracks[index];
      if (track === undefined || track.length < least) continue;
      if (track.lastMs - track.firstMs < kind.leastMs) continue;
      if (track.clients.size < Math.min(LEAST_CLIENTS, this.#clients.size)) continue;
      const chance = this.#chance(index, kind, track.length, others, nowMs);
      if (chance > SURE || (kind.standingDoubts && hasOlder(track.firstMs))) continue;
      return kind.words.replace("%n", `${track.length}`);
    }
    return undefined;
  }

  forget(id: string): void {
    this.#tracks.delete(id);
  }

  #chance(
    index: number,
    kind: Kind,
    length: number,
    others: ReadonlySet<string>,
    nowMs: number,
  ): number {
    let usualLost = 0;
    let usualKept = 0;
    let lateLost = 0;
    let lateKept = 0;
    for (const id of others) {
      const track = this.#tracks.get(id)?.[index];
      if (track === undefined) continue;
      track.usual.fade(nowMs);
      track.late.fade(nowMs);
      usualLost += track.usual.lost;
      usualKept += track.usual.kept;
      lateLost += track.late.lost;
      lateKept += track.late.kept;
    }
    const scale = Math.min(1, USUAL_MOST / Math.max(1, usualLost + usualKept));
    const lost = kind.priorLost + usualLost * scale + lateLost;
    const all = lost + kind.priorKept + usualKept * scale + lateKept;
    let log = 0;
    for (let j = 0; j < length; j++) log += Math.log((lost + j) / (all + j));
    return Math.exp(log);
  }
}
