// What a placement was worth: follows one course of sessions over the recorded servers and takes measure
// of it. The recorded course and every replayed one are measured alike.

/** What is told of a placement. */
export interface Measures {
  readonly sessions: ReadonlyMap<string, number>;
  /** Cores that were free on the chosen backend when a session came, without it; NaN without sessions. */
  readonly freeMean: number;
  /** 95 % of sessions found at least so many. */
  readonly free95: number;
  /**
   * Of the sessions of one load interval, the largest share that one backend got ÷ its fair share, which
   * is its part of the free cores when the interval began. The worst interval with HERD_SESSIONS or more;
   * NaN when there was none. 1 is ideal.
   */
  readonly herdIndex: number;
  /** Share of task-seconds on a backend with more tasks than cores while another usable one had a core free. */
  readonly avoidableOverload: number;
}

/** An interval with fewer sessions says nothing of herds. */
const HERD_SESSIONS = 5;
/** Cores that a backend without room counts for, so that a single session there is no herd. */
const LEAST_ROOM = 1;

interface Server {
  cores: number;
  isUsable: boolean;
  /** Tasks that no session brought. */
  outside: number;
  held: number;
}

interface Interval {
  readonly number: number;
  readonly room: ReadonlyMap<string, number>;
  readonly counts: Map<string, number>;
  sessions: number;
}

export class Measure {
  readonly #sessionCost: number;
  readonly #servers = new Map<string, Server>();
  readonly #sessions = new Map<string, number>();
  readonly #free: number[] = [];
  #intervalMs = 1;
  #interval: Interval | undefined;
  #herdIndex = NaN;
  #nowMs = 0;
  #tasks = 0;
  #avoidable = 0;

  /** @param sessionCost cores that a session keeps busy. */
  constructor(sessionCost: number) {
    this.#sessionCost = sessionCost;
  }

  /** All servers are void: what passes until the next call is not measured. */
  reset(t: number, intervalMs: number): void {
    this.#endInterval();
    this.#servers.clear();
    this.#nowMs = t;
    this.#intervalMs = intervalMs;
  }

  /** Lets time pass; call before anything changes. */
  advance(t: number): void {
    const passed = t - this.#nowMs;
    if (passed <= 0) return;
    this.#nowMs = t;
    let tasks = 0;
    let overloaded = 0;
    let hasRoom = false;
    for (const server of this.#servers.values()) {
      const running = this.#running(server);
      tasks += running;
      if (running > server.cores) overloaded += running;
      if (server.isUsable && server.cores - running >= 1) hasRoom = true;
    }
    this.#tasks += tasks * passed;
    if (hasRoom) this.#avoidable += overloaded * passed;
  }

  /** A server is there, or is otherwise than before. */
  setServer(backend: string, cores: number, isUsable: boolean): void {
    const server = this.#servers.get(backend);
    if (server === undefined) {
      this.#servers.set(backend, { cores, isUsable, outside: 0, held: 0 });
      if (!this.#sessions.has(backend)) this.#sessions.set(backend, 0);
    } else {
      server.cores = cores;
      server.isUsable = isUsable;
    }
  }

  /** Those that are no longer in the pool get no sessions; what stands there goes on. */
  retireOthers(staying: ReadonlySet<string>): void {
    for (const [backend, server] of this.#servers) {
      if (!staying.has(backend)) server.isUsable = false;
    }
  }

  setOutside(backend: string, tasks: number): void {
    const server = this.#servers.get(backend);
    if (server !== undefined) server.outside = tasks;
  }

  /** Sessions that stood already, or have ended. */
  hold(backend: string, change: number): void {
    const server = this.#servers.get(backend);
    if (server !== undefined) server.held = Math.max(0, server.held + change);
  }

  /** A session comes to a backend. */
  place(backend: string): void {
    const server = this.#servers.get(backend);
    if (server === undefined) return;
    const number = Math.floor(this.#nowMs / this.#intervalMs);
    if (this.#interval?.number !== number) {
      this.#endInterval();
      this.#interval = { number, room: this.#room(), counts: new Map(), sessions: 0 };
    }
    const { counts } = this.#interval;
    counts.set(backend, (counts.get(backend) ?? 0) + 1);
    this.#interval.sessions++;
    this.#free.push(server.cores - this.#running(server));
    this.#sessions.set(backend, (this.#sessions.get(backend) ?? 0) + 1);
    server.held++;
  }

  finish(): Measures {
    this.#endInterval();
    const free = this.#free.toSorted((a, b) => a - b);
    return {
      sessions: this.#sessions,
      freeMean: free.reduce((sum, cores) => sum + cores, 0) / free.length,
      free95: free[Math.floor(free.length * 0.05)] ?? NaN,
      herdIndex: this.#herdIndex,
      avoidableOverload: this.#tasks === 0 ? 0 : this.#avoidable / this.#tasks,
    };
  }

  #running(server: Server): number {
    return Math.max(0, server.outside + this.#sessionCost * server.held);
  }

  #room(): Map<string, number> {
    const room = new Map<string, number>();
    for (const [backend, server] of this.#servers) {
      if (!server.isUsable) continue;
      room.set(backend, Math.max(LEAST_ROOM, server.cores - this.#running(server)));
    }
    return room;
  }

  #endInterval(): void {
    const interval = this.#interval;
    this.#interval = undefined;
    if (interval === undefined || interval.sessions < HERD_SESSIONS) return;
    let sum = 0;
    for (const cores of interval.room.values()) sum += cores;
    for (const [backend, count] of interval.counts) {
      const fair = (interval.room.get(backend) ?? LEAST_ROOM) / sum;
      const index = count / interval.sessions / fair;
      if (!(index <= this.#herdIndex)) this.#herdIndex = index;
    }
  }
}
