// A site's sessions as a balancer sees them, invented: people, classes, commands, wrong passwords,
// scanners, guessers alone and by the hundred; and backends that break. Drives BlackHoles over hours of
// such a site and counts what it makes of it.

import {
  type BlackHoleRules,
  BlackHoles,
  type SessionEnd,
} from "../../lib/core/watch/black_holes.ts";
import { Chance } from "./chance.ts";
import { runningPool } from "./pools.ts";

export interface Site {
  readonly backends: number;
  readonly usersPerHour: number;
  /** Of the users, those behind one address. */
  readonly natShare: number;
  /** Of their sessions, those that fail at the password, and those that are one short command. */
  readonly failedShare: number;
  readonly commandShare: number;
  /** Bursts of guessed passwords, how many guesses each, and whether each comes from its own address. */
  readonly burstsPerHour: number;
  readonly guesses: number;
  readonly botnet: boolean;
  readonly scansPerHour: number;
  /** How often sessions go to the favourite of the moment, as they do with least_load. */
  readonly herding: number;
}

/** How a backend breaks. */
export type Breakage = "stillborn" | "dies_young" | "mute";

export interface Outcome {
  /** Times that a backend was held back which was not broken. */
  readonly falseHolds: number;
  readonly sessions: number;
  /** Users' sessions that the broken backend took before it was held back first; NaN: it never was. */
  readonly lostBefore: number;
  /** Those that it took afterwards. */
  readonly lostAfter: number;
}

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const RULES: BlackHoleRules = { sessions: 5, holdMs: 60_000, maxHeldShare: 0.5 };

interface Visit {
  readonly client: string;
  readonly end: SessionEnd;
  readonly isUser: boolean;
}

interface Ending {
  readonly atMs: number;
  readonly tunnel: number;
  readonly backend: string;
  readonly end: SessionEnd;
}

/** Runs a site for so many hours; from `brokenAtHour` on, its first backend is broken. */
export function runSite(
  site: Site,
  hours: number,
  seed: number,
  breakage?: Breakage,
  brokenAtHour = 0,
): Outcome {
  const chance = new Chance(seed);
  const ids = Array.from({ length: site.backends }, (_, index) => `b${index}`);
  const pool = runningPool(ids);
  const watch = new BlackHoles(RULES);
  const visits = new Visits(site, chance);
  const endings: Ending[] = [];
  let favourite = ids[0] ?? "";
  let favouriteUntilMs = 0;
  let [tunnel, falseHolds, lostBefore, lostAfter, wasHeld] = [0, 0, 0, 0, false];
  const count = (changes: readonly { level: string; backend: string }[], nowMs: number) => {
    for (const { level, backend } of changes) {
      if (level !== "warning") continue;
      const isBroken = breakage !== undefined && backend === ids[0] &&
        nowMs >= brokenAtHour * HOUR_MS;
      if (isBroken) wasHeld = true;
      else falseHolds++;
    }
  };
  const endUntil = (nowMs: number) => {
    while ((endings.at(-1)?.atMs ?? Infinity) <= nowMs) {
      const ending = endings.pop();
      if (ending === undefined) return;
      count(
        watch.closed(pool, ending.backend, ending.tunnel, ending.end, ending.atMs),
        ending.atMs,
      );
    }
  };
  for (let { nowMs, visit } = visits.next(); nowMs < hours * HOUR_MS;) {
    endUntil(nowMs);
    count(watch.tick(pool, nowMs), nowMs);
    const usable = pool.members.filter((member) => pool.isUsable(member));
    const broken = breakage !== undefined && nowMs >= brokenAtHour * HOUR_MS ? ids[0] : undefined;
    if (nowMs >= favouriteUntilMs || !usable.some(({ backend }) => backend.id === favourite)) {
      favourite = usable[chance.below(usable.length)]?.backend.id ?? "";
      favouriteUntilMs = nowMs + chance.exponential(5 * MINUTE_MS);
    }
    // What loses its sessions looks idle.
    if (broken !== undefined && usable.some(({ backend }) => backend.id === broken)) {
      favourite = broken;
    }
    const backend = chance.next() < site.herding
      ? favourite
      : usable[chance.below(usable.length)]?.backend.id ?? "";
    const isLost = backend === broken;
    const end = isLost ? lossOf(breakage ?? "stillborn", chance) : visit.end;
    if (isLost && visit.isUser) {
      if (wasHeld) lostAfter++;
      else lostBefore++;
    }
    watch.opened(pool, backend, ++tunnel, visit.client, nowMs);
    insert(endings, { atMs: nowMs + end.durationMs, tunnel, backend, end });
    ({ nowMs, visit } = visits.next());
  }
  return { falseHolds, sessions: tunnel, lostBefore: wasHeld ? lostBefore : NaN, lostAfter };
}

/** Keeps endings by time, the next one last. */
function insert(endings: Ending[], ending: Ending): void {
  // Whatever lasts longer is known to live before it ends.
  if (ending.end.durationMs > 200_000) return;
  let at = endings.length;
  while (at > 0 && (endings[at - 1]?.atMs ?? 0) < ending.atMs) at--;
  endings.splice(at, 0, ending);
}

function lossOf(breakage: Breakage, chance: Chance): SessionEnd {
  switch (breakage) {
    case "stillborn":
      return endOf("backend", 50, 0);
    case "dies_young":
      return endOf("backend", 100 + 2000 * chance.next(), 1200);
    case "mute":
      return endOf("client", 3000 + chance.exponential(15_000), 0);
  }
}

function endOf(by: SessionEnd["by"], durationMs: number, bytesToClient: number): SessionEnd {
  return { by, durationMs, bytesToClient, bytesToBackend: 1000 };
}

/** Arrivals of all kinds, in the order of time. */
class Visits {
  readonly #site: Site;
  readonly #chance: Chance;
  readonly #nextMs: { user: number; scan: number; burst: number; guess: number; pupil: number };
  #guessesLeft = 0;
  #guesser = "";
  #pupilsLeft = 0;

  constructor(site: Site, chance: Chance) {
    this.#site = site;
    this.#chance = chance;
    this.#nextMs = { user: 0, scan: 0, burst: 0, guess: Infinity, pupil: 9 * HOUR_MS };
  }

  next(): { nowMs: number; visit: Visit } {
    const next = this.#nextMs;
    const { usersPerHour, scansPerHour, burstsPerHour, guesses } = this.#site;
    const chance = this.#chance;
    for (;;) {
      const nowMs = Math.min(next.user, next.scan, next.burst, next.guess, next.pupil);
      if (nowMs === next.burst) {
        next.burst = nowMs + this.#after(burstsPerHour);
        if (this.#guessesLeft > 0) continue;
        this.#guessesLeft = 1 + Math.floor(chance.exponential(guesses));
        this.#guesser = `g${chance.below(1_000_000)}`;
        next.guess = nowMs;
      } else if (nowMs === next.guess) {
        const gapMs = this.#site.botnet ? 1000 : 6000;
        next.guess = --this.#guessesLeft > 0 ? nowMs + chance.exponential(gapMs) : Infinity;
        return { nowMs, visit: this.#guess() };
      } else if (nowMs === next.scan) {
        next.scan = nowMs + this.#after(scansPerHour);
        const end = endOf("client", 300, chance.next() < 0.5 ? 21 : 0);
        return { nowMs, visit: { client: `s${chance.below(1_000_000)}`, end, isUser: false } };
      } else if (nowMs === next.pupil) {
        // A class of 30, once a day, within a minute.
        if (this.#pupilsLeft === 0) this.#pupilsLeft = 30;
        next.pupil = nowMs + (--this.#pupilsLeft > 0 ? chance.exponential(2000) : 24 * HOUR_MS);
        return { nowMs, visit: this.#user() };
      } else {
        next.user = nowMs + this.#after(usersPerHour);
        return { nowMs, visit: this.#user() };
      }
    }
  }

  #after(perHour: number): number {
    return perHour === 0 ? Infinity : this.#chance.exponential(HOUR_MS / perHour);
  }

  #user(): Visit {
    const chance = this.#chance;
    const { natShare, failedShare, commandShare } = this.#site;
    const client = chance.next() < natShare ? "nat" : `u${chance.below(200)}`;
    const kind = chance.next();
    const end = kind < failedShare
      // sshd ends it after the third wrong password.
      ? endOf("backend", 1000 + 14_000 * chance.next(), 2000)
      : kind < failedShare + commandShare
      ? endOf("client", 300 + 6000 * chance.next(), 4000)
      : endOf("client", chance.boundedPareto(1, 30_000, 1e8), 50_000);
    return { client, end, isUser: true };
  }

  #guess(): Visit {
    const chance = this.#chance;
    const client = this.#site.botnet ? `g${chance.below(1_000_000)}` : this.#guesser;
    const by = chance.next() < 0.8 ? "backend" : "client";
    return { client, end: endOf(by, 500 + 12_000 * chance.next(), 1500), isUser: false };
  }
}
