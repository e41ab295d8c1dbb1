// Finds black holes: backends that take connections and lose them. Such a backend looks idle, so it draws
// every session. Whether a run of lost sessions is chance is decided by core/watch/loss_runs.ts; here is what
// follows: it is held back, then one session at a time tries it.

import { formatDuration } from "../values/duration.ts";
import { LossRuns, type Outcome } from "./loss_runs.ts";
import type { Pool } from "../pool/pool.ts";
import type { PoolChange } from "../pool/pool_change.ts";
import { DOUBLING, EjectionBackoff, mayHold } from "./ejection_backoff.ts";

export interface BlackHoleRules {
  /** The shortest run of lost sessions that can eject; 0: nobody is judged. */
  readonly sessions: number;
  /** The first hold lasts so long, each next one twice as long, up to 64 times that. */
  readonly holdMs: number;
  /** Of the pool, 0 to 1: more are not held back for what sessions went through. */
  readonly maxHeldShare: number;
}

/** How a session ended. */
export interface SessionEnd {
  readonly bytesToBackend: number;
  readonly bytesToClient: number;
  readonly durationMs: number;
  /** Who ended it; `neither`: an idle timeout or a shutdown. */
  readonly by: "client" | "backend" | "neither";
}

/** A session that the backend ends sooner than this has died young. */
const YOUNG_MS = 5000;
/** A session that has stood for so long was not lost within seconds, whatever is to come. */
const STANDS_MS = 60_000;
/** A client with a session this old has logged in: sshd gives 120 s for that (LoginGraceTime). */
const LOGGED_IN_MS = 180_000;
/** A client that sends and hears nothing for so long has met a mute backend. */
const MUTE_MS = 3000;

interface Alive {
  readonly backend: string;
  readonly client: string;
  readonly openedMs: number;
  /** Whether it was said that it stands. */
  told: boolean;
}

/** `held` for a time, then `open` to a trial, which is `tried` while its session is young. */
interface Ejection {
  state: "held" | "open" | "tried";
  /** Of a hold. */
  readonly untilMs: number;
}

export class BlackHoles {
  #rules: BlackHoleRules;
  readonly #runs = new LossRuns();
  /** Sessions that have not yet shown how they fare, by tunnel; oldest first. */
  readonly #alive = new Map<number, Alive>();
  readonly #ejections = new Map<string, Ejection>();
  readonly #backoffs = new Map<string, EjectionBackoff>();
  /** Backends that should be held back and cannot be, because the cap is reached; each is told once. */
  readonly #capped = new Set<string>();

  constructor(rules: BlackHoleRules) {
    this.#rules = rules;
  }

  /**
   * What is known is kept. Where nobody is judged any more, those that are held come back, and runs end:
   * sessions that live are not seen until somebody is judged again.
   */
  setRules(pool: Pool, rules: BlackHoleRules): PoolChange[] {
    this.#rules = rules;
    if (rules.sessions > 0) return [];
    this.#alive.clear();
    this.#capped.clear();
    this.#runs.endAllRuns();
    return [...this.#ejections.keys()].flatMap((id) =>
      this.#clear(pool, id, "black holes are not looked for any more")
    );
  }

  /**
   * A session was opened. While a backend is tried, it gets no other.
   * @returns whether it is held back from now on for that.
   */
  opened(pool: Pool, id: string, tunnel: number, client: string, nowMs: number): boolean {
    if (this.#rules.sessions === 0) return false;
    this.#alive.set(tunnel, { backend: id, client, openedMs: nowMs, told: false });
    const ejection = this.#ejections.get(id);
    if (ejection?.state !== "open") return false;
    ejection.state = "tried";
    if (!mayHold(pool, id, this.#rules.maxHeldShare)) return false;
    pool.hold(id, "black_hole", "it lost its sessions, and one more is tried there", nowMs);
    return true;
  }

  /** A session has ended. */
  closed(pool: Pool, id: string, tunnel: number, end: SessionEnd, nowMs: number): PoolChange[] {
    const alive = this.#alive.get(tunnel);
    // One that had stood for long has counted already.
    if (alive === undefined || alive.backend !== id) return [];
    this.#alive.delete(tunnel);
    const outcome = outcomeOf(end);
    if (alive.told && outcome !== "mute") return [];
    return outcome === undefined
      ? this.#undecided(pool, id)
      : this.#observe(pool, alive, outcome, nowMs);
  }

  /** Lets time pass: sessions grow old, holds end, and what could not be held back is tried again. */
  tick(pool: Pool, nowMs: number): PoolChange[] {
    if (this.#rules.sessions === 0) return [];
    const changes: PoolChange[] = [];
    for (const [tunnel, alive] of this.#alive) {
      const ageMs = nowMs - alive.openedMs;
      if (ageMs < STANDS_MS) break;
      if (ageMs >= LOGGED_IN_MS) {
        this.#alive.delete(tunnel);
        this.#runs.remember(alive.client, nowMs);
      }
      if (alive.told) continue;
      alive.told = true;
      changes.push(...this.#observe(pool, alive, "stands", nowMs));
    }
    for (const [id, ejection] of this.#ejections) {
      if (ejection.state !== "held" || nowMs < ejection.untilMs) continue;
      ejection.state = "open";
      this.#runs.refresh(id, nowMs);
      changes.push(...pool.release(id, "black_hole", "one session is let try it"));
    }
    for (const id of this.#runs.suspects(this.#rules.sessions)) {
      if (!this.#ejections.has(id)) changes.push(...this.#judge(pool, id, nowMs));
    }
    return changes;
  }

  /** Until when a backend is held back, by the clock; undefined when it is not, or is being tried. */
  untilMs(id: string): number | undefined {
    const ejection = this.#ejections.get(id);
    return ejection?.state === "held" ? ejection.untilMs : undefined;
  }

  /** Forgets a backend that has left the pool: should it join again, it joins with a clean slate. */
  forget(pool: Pool, id: string): void {
    this.#runs.forget(id);
    this.#ejections.delete(id);
    this.#backoffs.delete(id);
    this.#capped.delete(id);
    for (const [tunnel, { backend }] of this.#alive) if (backend === id) this.#alive.delete(tunnel);
    pool.release(id, "black_hole", "");
  }

  #observe(pool: Pool, session: Alive, outcome: Outcome, nowMs: number): PoolChange[] {
    const { backend: id, client, openedMs } = session;
    const member = pool.member(id);
    if (member === undefined || member.leaving) return [];
    const sound = this.#runs.observe(id, { client, openedMs, outcome }, nowMs);
    if (!sound) return this.#judge(pool, id, nowMs);
    this.#capped.delete(id);
    return this.#clear(pool, id, "a session lives there");
  }

  #judge(pool: Pool, id: string, nowMs: number): PoolChange[] {
    const { sessions, holdMs, maxHeldShare } = this.#rules;
    const ejection = this.#ejections.get(id);
    // What was on its way when it was held back tells nothing new.
    if (ejection?.state === "held") return [];
    const others = new Set(pool.members.map(({ backend }) => backend.id));
    for (const [other, { state }] of this.#ejections) if (state === "held") others.delete(other);
    others.delete(id);
    const verdict = this.#runs.judge(
      id,
      others,
      sessions,
      nowMs,
      (sinceMs) => this.#hasOlder(id, sinceMs, nowMs),
    );
    if (verdict === undefined) {
      return ejection?.state === "tried"
        ? this.#clear(pool, id, "it loses no more sessions than the others")
        : [];
    }
    if (!mayHold(pool, id, maxHeldShare)) {
      this.#ejections.delete(id);
      pool.release(id, "black_hole", "");
      if (this.#capped.has(id)) return [];
      this.#capped.add(id);
      const text = `is used although ${verdict}: no more backends may be held back`;
      return [{ level: "warning", backend: id, text }];
    }
    this.#capped.delete(id);
    let backoff = this.#backoffs.get(id);
    if (backoff === undefined) this.#backoffs.set(id, backoff = new EjectionBackoff(DOUBLING));
    const heldForMs = backoff.add(holdMs, nowMs);
    this.#ejections.set(id, { state: "held", untilMs: nowMs + heldForMs });
    pool.release(id, "black_hole", "");
    const reason = `${verdict}; held back for ${formatDuration(heldForMs)}`;
    return pool.hold(id, "black_hole", reason, nowMs);
  }

  /** Whether sessions of the run's time have grown past their youth there: they may be going to live. */
  #hasOlder(id: string, sinceMs: number, nowMs: number): boolean {
    for (const { backend, openedMs, told } of this.#alive.values()) {
      if (nowMs - openedMs < YOUNG_MS) return false;
      if (backend === id && openedMs >= sinceMs && !told) return true;
    }
    return false;
  }

  /** A trial that the client broke off says nothing: another one. */
  #undecided(pool: Pool, id: string): PoolChange[] {
    const ejection = this.#ejections.get(id);
    if (ejection?.state !== "tried") return [];
    ejection.state = "open";
    pool.release(id, "black_hole", "");
    return [];
  }

  #clear(pool: Pool, id: string, reason: string): PoolChange[] {
    if (!this.#ejections.delete(id)) return [];
    this.#runs.endRuns(id);
    const changes = pool.release(id, "black_hole", reason);
    return changes.length > 0
      ? changes
      : [{ level: "info", backend: id, text: `is used as before: ${reason}` }];
  }
}

/** What a session's end says of the backend; undefined: nothing. */
function outcomeOf({ bytesToBackend, bytesToClient, durationMs, by }: SessionEnd) {
  if (bytesToClient === 0) {
    if (by === "backend" && durationMs < YOUNG_MS) return "stillborn";
    return by === "client" && bytesToBackend > 0 && durationMs >= MUTE_MS ? "mute" : undefined;
  }
  if (durationMs >= YOUNG_MS) return "lived";
  return by === "backend" ? "died_young" : undefined;
}
