// The load source "gmond": Ganglia's daemon, which sends all it knows as XML to whoever connects. Each
// backend's own gmond is asked, or one collector for all; an answer serves everybody who asks soon after.

import { formatAddress, type TcpAddress } from "../core/values/address.ts";
import type { Backend } from "../core/pool/backend.ts";
import type { Clock } from "../core/timing/clock.ts";
import { failed, type LoadResult } from "../core/pool/load.ts";
import type { Result } from "../core/values/result.ts";
import { askGmond, GMOND_PORT, type GmondHost } from "../asking/gmond.ts";
import { findHost, sampleOf } from "./gmond_hosts.ts";
import { key, section, type ValueOf } from "../schema/declarations.ts";
import { tcpPlace } from "../schema/balancer_values.ts";
import { port } from "../schema/values.ts";
import { type LoadSource, loadSourceKind } from "./load_source.ts";
import { abortReason } from "../asking/reason.ts";

const gmondSection = section({ doc: "how a backend is asked with source: gmond (Ganglia)" }, {
  port: key(port, { default: String(GMOND_PORT), doc: "where each backend's own gmond listens" }),
  address: key(tcpPlace(GMOND_PORT), {
    unset: "none",
    example: "ganglia:8649",
    doc: "one gmond that knows all backends is asked instead",
  }),
});

export interface GmondOptions extends ValueOf<typeof gmondSection> {
  /** How often each backend is asked for: so long, nearly, one answer serves for all. */
  readonly intervalMs: number;
  readonly clock: Clock;
}

/** Rounds go at intervals that are up to a tenth shorter: nobody is to get an answer twice. */
const REUSE_SHARE = 0.85;

interface Answer {
  readonly hosts: Result<readonly GmondHost[]>;
  readonly answeredMs: number;
}

/** One question to one gmond, and all who wait for the answer. */
class Question {
  readonly #stop = new AbortController();
  readonly answer: Promise<Answer>;
  #waiting = 0;

  constructor(place: TcpAddress, readonly askedMs: number, clock: Clock) {
    this.answer = askGmond(place, this.#stop.signal)
      .then((hosts) => ({ hosts, answeredMs: clock.now() }));
  }

  /** Waits until the signal is aborted; a question for which nobody waits any more is given up. */
  async wait(signal: AbortSignal): Promise<Answer | undefined> {
    this.#waiting++;
    const aborted = Promise.withResolvers<undefined>();
    const abort = () => aborted.resolve(undefined);
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) abort();
    const answer = await Promise.race([this.answer, aborted.promise]);
    signal.removeEventListener("abort", abort);
    this.#waiting--;
    if (answer === undefined && this.#waiting === 0) this.stop(signal.reason);
    return answer;
  }

  /** The reason becomes the answer to whoever asks within the interval. */
  stop(reason?: unknown): void {
    this.#stop.abort(reason);
  }
}

export class GmondSource implements LoadSource {
  readonly #options: GmondOptions;
  /** The last question to each place. */
  readonly #questions = new Map<string, Question>();
  readonly #open = new Set<Question>();

  constructor(options: GmondOptions) {
    this.#options = options;
  }

  async sample(backend: Backend, signal: AbortSignal): Promise<LoadResult> {
    if (signal.aborted) return failed(abortReason(signal));
    const place = this.#placeOf(backend);
    if (place === undefined) {
      return failed(`Cannot ask "${backend.id}" by gmond: expected a TCP address`);
    }
    const answer = await this.#questionTo(place).wait(signal);
    if (answer === undefined) return failed(abortReason(signal));
    const { hosts, answeredMs } = answer;
    if (!hosts.ok) return failed(hosts.message);
    const host = findHost(hosts.value, namesOf(backend), this.#options.address === undefined);
    if (!host.ok) return failed(host.message);
    const sample = sampleOf(host.value, answeredMs);
    return sample.ok ? { kind: "sample", sample: sample.value } : failed(sample.message);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const open = [...this.#open];
    for (const question of open) question.stop();
    await Promise.all(open.map(({ answer }) => answer));
  }

  #placeOf({ address, loadAddress }: Backend): TcpAddress | undefined {
    const { port, address: collector } = this.#options;
    if (collector !== undefined) return collector;
    const place = loadAddress ?? { ...address, port };
    return place.transport === "tcp" ? place : undefined;
  }

  #questionTo(place: TcpAddress): Question {
    const { clock, intervalMs } = this.#options;
    const key = formatAddress(place);
    const nowMs = clock.now();
    for (const [place, { askedMs }] of this.#questions) {
      if (nowMs - askedMs >= REUSE_SHARE * intervalMs) this.#questions.delete(place);
    }
    const last = this.#questions.get(key);
    if (last !== undefined) return last;
    const question = new Question(place, nowMs, clock);
    this.#questions.set(key, question);
    this.#open.add(question);
    question.answer.finally(() => this.#open.delete(question));
    return question;
  }
}

/** What a gmond may call a backend. */
function namesOf({ id, address, loadAddress }: Backend): string[] {
  const hosts = [loadAddress, address].flatMap((one) => one?.transport === "tcp" ? [one.host] : []);
  return [...new Set([...hosts, id])];
}

export const gmond = loadSourceKind("gmond", gmondSection, {
  doc: "Ganglia's daemon, on each backend or one for all",
  tellsMemory: true,
  tellsPressure: false,
  isKernelAverage: false,
  // A stock gmond says again after 70 s what has not changed.
  freshMs: 120_000,
  // For so long an answer of a gmond serves all who ask.
  heedsInterval: true,
  port: (own) => own.port,
  asksBackends: ({ address }) => address === undefined,
}, (own, { clock, intervalMs }) => new GmondSource({ ...own, intervalMs, clock }));
