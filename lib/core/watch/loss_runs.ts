// Decides whether a backend that has lost its last sessions, every one of them, has done so by chance.
// One per pool: what is usual there is learnt from the other backends.

/** How a session fared. The later ones are the worse. */
export type Outcome =
  /** Its client had some seconds of it, and ended it. */
  | "lived"
  /** It has stood for long, and goes on; who knows whether anything was said. */
  | "stands"
  /** The backend ended it within seconds. */
  | "died_young"
  /** The same, without having said a byte. */
  | "stillborn"
  /** The client sent something, heard nothing at all for seconds, and gave up. */
  | "mute";

const SEVERITY = { lived: 0, stands: 0, died_young: 1, stillborn: 2, mute: 3 } as const;

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
  /** A run must last so long. */
  readonly leastMs: number;
  /** Whether only clients count who have had long sessions in the pool. */
  readonly knownOnly: boolean;
  /** Whether sessions that stand speak against it. Mute ones stand as well. */
  readonly standingDoubts: boolean;
  readonly words: string;
}

/**
 * Sessions that die young are everywhere: passwords are guessed, by the hundred and from as many
 * addresses. So there only those count who have logged in before. A backend's own silence is always
 * strange: that ejects a backend whatever its clients are, even while nothing is known of the others.
 */
const KINDS: readonly Kind[] = [
  {
    severity: 3,
    priorLost: 1,
    priorKept: 99,
    leastMs: 0,
    knownOnly: false,
    standingDoubts: false,
    words: "it said nothing to its last %n sessions",
  },
  {
    severity: 2,
    priorLost: 1,
    priorKept: 99,
    leastMs: 0,
    knownOnly: false,
    standingDoubts: true,
    words: "it ended its last %n sessions within seconds, without a word",
  },
  {
    severity: 1,
    priorLost: 1,
    priorKept: 9,
    leastMs: 30_000,
    knownOnly: true,
    standingDoubts: true,
    words: "it ended its last %n sessions within seconds",
  },
];

/** A run as unlikely as this is no chance: once in a million sessions. */
const SURE = 1e-6;
/** How probable it is beforehand that a pool is an odd one, in which any share may be lost. */
const ODD = SURE / 10;
/** What is usual is forgotten by 1/e in this time, and what is usual of late in that. */
const USUAL_MS = 14_400_000;
const LATE_MS = 600_000;
/** What is usual weighs at most as much as so many sessions: clienteles change. */
const USUAL_MOST = 100;
/** A run that has not grown for so long is none. */
const STALE_MS = 3_600_000;
/** One client's losses count so often in a run: they may be its own fault. */
const PER_CLIENT = 2;
/** From so many addresses a run must come. */
const LEAST_CLIENTS = 3;
/** Addresses from which people have logged in: so many are remembered, for so long. */
const KNOWN = 4096;
const KNOWN_MS = 7 * 86_400_000;
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
    if (lost ? nowMs - this.lastMs > STALE_MS : openedMs >= this.firstMs) this.end();
    if (!lost) return;
    if (this.length === 0) this.firstMs = nowMs;
    this.lastMs = nowMs;
    const before = this.clients.get(client) ?? 0;
    if ((before >= PER_CLIENT && !uncapped) || this.length >= LONGEST_RUN) return;
    this.clients.set(client, before + 1);
    this.length++;
  }

  end(): void {
    this.clients.clear();
    this.length = 0;
  }
}

/**
 * Keeps runs of lost sessions by backend, and judges them.
 *
 * A run ejects when it would be a wonder if the backend were as the others are. Of the others K
 * sessions were lost and L were not, so the next n sessions of one like them are all lost with the
 * chance B(a + K + n, b + L) / B(a + K, b + L): the beta-binomial distribution's last term, which is what
 * Bayes makes of a Beta(a, b) prior. The prior is mixed with a little of the uniform one, for pools in
 * which what is lost elsewhere is usual: a few dozen sessions make it the only one that counts. With p of the sessions lost everywhere (passwords are
 * guessed) it takes about log(1e-6) / log p of them: 5 at 5 %, 6 at 10 %, 20 at 50 %, 131 at 90 %.
 *
 * That sessions are independent is what the formula believes and the world denies, so: a single session
 * that lives breaks a run; a client counts twice at most and three it must be (of silence, one that has
 * logged in counts always, for behind it may sit everybody there is); sessions that stand speak
 * against a run; and what the others lose of late counts twice.
 */
export class LossRuns {
  readonly #tracks = new Map<string, readonly Track[]>();
  /** When it was last seen that somebody of an address had logged in, oldest first. */
  readonly #known = new Map<string, number>();

  /** Takes in how a session fared. @returns whether no run of losses goes on there. */
  observe(id: string, session: Fared, nowMs: number): boolean {
    const { client, outcome } = session;
    let tracks = this.#tracks.get(id);
    if (tracks === undefined) this.#tracks.set(id, tracks = KINDS.map(() => new Track()));
    const isKnown = nowMs - (this.#known.get(client) ?? -Infinity) < KNOWN_MS;
    const few = this.#known.size < LEAST_CLIENTS;
    KINDS.forEach(({ severity, knownOnly, standingDoubts }, index) => {
      if (knownOnly && !isKnown) return;
      // A mute backend's sessions stand until somebody gives them up.
      if (outcome === "stands" && !standingDoubts) return;
      const uncapped = !knownOnly && (isKnown || few);
      tracks[index]?.observe(session, uncapped, SEVERITY[outcome] >= severity, nowMs);
    });
    return outcome === "stands"
      ? tracks.every(({ length }, index) => length === 0 || KINDS[index]?.standingDoubts === false)
      : tracks.every(({ length }) => length === 0);
  }

  /** Backends whose runs are so long that they are worth a judgement. */
  suspects(least: number): string[] {
    return [...this.#tracks].filter(([, tracks]) => tracks.some(({ length }) => length >= least))
      .map(([id]) => id);
  }

  /**
   * Judges a backend's runs.
   * @param others those that tell what is usual.
   * @param least the shortest run that can eject, 1 or more.
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
      const clients = kind.knownOnly ? LEAST_CLIENTS : Math.min(LEAST_CLIENTS, this.#known.size);
      if (track.clients.size < clients) continue;
      const chance = this.#chance(index, kind, track.length, others, nowMs);
      if (chance > SURE || (kind.standingDoubts && hasOlder(track.firstMs))) continue;
      return kind.words.replace("%n", `${track.length}`);
    }
    return undefined;
  }

  /** Time in which a backend was given no sessions does not make its runs grow old. */
  refresh(id: string, nowMs: number): void {
    for (const track of this.#tracks.get(id) ?? []) if (track.length > 0) track.lastMs = nowMs;
  }

  /** Ends a backend's runs; what is usual there is kept. */
  endRuns(id: string): void {
    for (const track of this.#tracks.get(id) ?? []) track.end();
  }

  /** The same for every backend. */
  endAllRuns(): void {
    for (const id of this.#tracks.keys()) this.endRuns(id);
  }

  forget(id: string): void {
    this.#tracks.delete(id);
  }

  /** A client has logged in: what it loses is not its own fault. */
  remember(client: string, nowMs: number): void {
    this.#known.delete(client);
    this.#known.set(client, nowMs);
    const [oldest] = this.#known.keys();
    if (this.#known.size > KNOWN && oldest !== undefined) this.#known.delete(oldest);
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
    const lost = usualLost * scale + lateLost;
    const kept = usualKept * scale + lateKept;
    const { priorLost, priorKept } = kind;
    const likely = logEvidence(priorLost, priorKept, lost, kept);
    const odd = logEvidence(1, 1, lost, kept);
    const likelyRun = logEvidence(priorLost, priorKept, lost + length, kept);
    const oddRun = logEvidence(1, 1, lost + length, kept);
    return Math.exp(logMixed(likelyRun, oddRun) - logMixed(likely, odd));
  }
}

/** Adds two probabilities, all as logarithms, the second one with the weight {@linkcode ODD}. */
function logMixed(likely: number, odd: number): number {
  const larger = Math.max(likely, odd);
  return larger + Math.log(Math.exp(likely - larger) + ODD * Math.exp(odd - larger));
}

/** How probable a sequence of so many lost and kept sessions is under a Beta prior, as a logarithm. */
function logEvidence(priorLost: number, priorKept: number, lost: number, kept: number): number {
  return logBeta(priorLost + lost, priorKept + kept) - logBeta(priorLost, priorKept);
}

function logBeta(a: number, b: number): number {
  return logGamma(a) + logGamma(b) - logGamma(a + b);
}

/** ln Γ(x) for x > 0: Stirling's series from 8 on, and Γ(x + 1) = x·Γ(x) below. */
function logGamma(x: number): number {
  let shift = 0;
  let z = x;
  for (; z < 8; z++) shift += Math.log(z);
  const inverse = 1 / (z * z);
  const series = (1 / 12 - inverse * (1 / 360 - inverse * (1 / 1260 - inverse / 1680))) / z;
  return (z - 0.5) * Math.log(z) - z + 0.5 * Math.log(2 * Math.PI) + series - shift;
}
