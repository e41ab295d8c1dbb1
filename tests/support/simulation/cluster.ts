// The simulation itself: sessions come in, balancers place them by what polls told, servers share their
// cores, the kernel's load average lags. Seconds from the start everywhere.
//
// `!` on typed-array and per-server reads: indices are below the arrays' length by construction.

import { Arrivals } from "./arrivals.ts";
import { Chance, mix32 } from "../chance.ts";
import { POPULATION } from "./clients.ts";
import { EventQueue } from "./event_queue.ts";
import { type JobSummary, JobTimes } from "./job_times.ts";
import { LOAD_STEP_SECONDS, LoadAverage } from "./load_average.ts";
import { Overload } from "./overload.ts";
import { Pressure } from "./pressure.ts";
import { type Placer, type PlacerMaker, type PlannedJob, WAITS } from "./placer.ts";
import { ProcessorSharing } from "./processor_sharing.ts";
import type { Churn, Scenario } from "./scenario.ts";
import { SessionTable } from "./session_table.ts";
import { Sshd } from "./sshd.ts";
import { type Behaviour, SessionChance, Step } from "./workload.ts";

export interface Outcome extends JobSummary {
  /**
   * Share of thread-seconds spent on a server with more threads than cores while another had at least
   * one core free.
   */
  readonly avoidableOverload: number;
  /** Threads that ran ÷ cores, by server, mean over time. */
  readonly utilisation: number;
  readonly refused: number;
  /** Of a class start: the largest share of its sessions that one server got; NaN without a class. */
  readonly largestShare: number;
  /** What share that server had of the cores that were free when the class began. */
  readonly fairShare: number;
  /** Of a class start: the share of its sessions that fair shares would have put on other servers. */
  readonly misplacedShare: number;
  /** Of a class start: its sessions by server. */
  readonly classSessions: readonly number[];
  /** Of a class start: sessions that sshd has dropped. */
  readonly dropped: number;
  /** How long sessions that balancers placed waited for a server: the mean, and the longest. */
  readonly meanWait: number;
  readonly longestWait: number;
  readonly events: number;
}

/** A session that waits for a server. */
interface Waiting {
  readonly cameAt: number;
  readonly stream: number;
  readonly client: number;
  readonly key: number;
}

/** Marks sessions that no balancer placed and that never ask for another step. */
const NOBODY = -1;
const NO_STREAM = -1;
const FOREVER_SECONDS = 1e12;

/** How soon a balancer looks again whether there is a server for those who wait. */
const LOOK_SECONDS = 0.01;

/** First samples are taken within this time. */
const FIRST_POLL_SECONDS = 1;

export class ClusterSimulation {
  readonly #scenario: Scenario;
  readonly #servers: ProcessorSharing[];
  readonly #loads: LoadAverage[];
  readonly #pressures: Pressure[];
  readonly #placers: Placer[];
  readonly #calendar: EventQueue;
  readonly #sessions = new SessionTable();
  readonly #overload: Overload;
  readonly #step = new Step();
  readonly #sessionChance = new SessionChance();
  readonly #arrivals: Arrivals[];
  readonly #pollChance: Chance[];
  readonly #classChance: Chance;
  /** The load that a poll has read and that is on its way; NaN: lost, or none is. */
  readonly #onTheWay: Float64Array;
  readonly #isOnTheWay: Uint8Array;
  readonly #pressureOnTheWay: Float64Array;
  readonly #pollNext: Float64Array;
  readonly #churn: readonly Churn[];
  /** First actor of each kind, after the servers. */
  readonly #firstPoll: number;
  readonly #firstStream: number;
  readonly #classActor: number;
  readonly #churnActor: number;
  readonly #firstQueue: number;
  readonly #firstSession: number;
  #now = 0;
  #churned = 0;
  #classTimes: Float64Array;
  #classPlaced = 0;
  readonly #classSessions: Int32Array;
  #classFree: number[] = [];
  #seed: number;
  #sessionNumber = 0;
  #refused = 0;
  /** By balancer: sessions that wait, in the order in which they came. */
  readonly #queues: Waiting[][];
  readonly #sshds: Sshd[];
  readonly #sshdChance: Chance;
  #dropped = 0;
  #placed = 0;
  #waited = 0;
  #longestWait = 0;
  readonly #jobTimes = new JobTimes();

  constructor(scenario: Scenario, makePlacer: PlacerMaker, seed: number) {
    this.#scenario = scenario;
    this.#seed = seed;
    const { cores, streams, balancers, classStart, base } = scenario;
    const phases = new Chance(seed, 1);
    this.#servers = cores.map((count) => new ProcessorSharing(count));
    this.#loads = cores.map((_, index) =>
      new LoadAverage(phases.next() * LOAD_STEP_SECONDS, base?.[index])
    );
    this.#pressures = cores.map(() => new Pressure());
    this.#overload = new Overload(cores);
    this.#firstPoll = cores.length;
    this.#firstStream = this.#firstPoll + balancers * cores.length;
    this.#classActor = this.#firstStream + streams.length;
    this.#churnActor = this.#classActor + 1;
    this.#firstQueue = this.#churnActor + 1;
    this.#firstSession = this.#firstQueue + balancers;
    this.#queues = Array.from({ length: balancers }, () => []);
    this.#sshds = cores.map(() => new Sshd());
    this.#sshdChance = new Chance(seed, 3);
    this.#calendar = new EventQueue(this.#firstSession + 1024);
    this.#arrivals = streams.map((stream, index) =>
      new Arrivals(stream, new Chance(seed, 100 + index))
    );
    this.#pollChance = Array.from(
      { length: balancers },
      (_, index) => new Chance(seed, 200 + index),
    );
    this.#classChance = new Chance(seed, 2);
    const polls = balancers * cores.length;
    this.#onTheWay = new Float64Array(polls);
    this.#isOnTheWay = new Uint8Array(polls);
    this.#pressureOnTheWay = new Float64Array(polls);
    this.#pollNext = new Float64Array(polls);
    this.#churn = [...scenario.churn ?? []].sort((a, b) => a.at - b.at);
    this.#classSessions = new Int32Array(cores.length);
    this.#classTimes = new Float64Array(classStart?.sessions ?? 0)
      .map(() => (classStart?.at ?? 0) + this.#classChance.next() * (classStart?.overSeconds ?? 0))
      .sort();
    const running = (server: number) => this.#servers[server]!.running;
    this.#placers = Array.from({ length: balancers }, (_, index) =>
      makePlacer({
        cores,
        chance: new Chance(seed, 300 + index),
        pollSeconds: scenario.polls.intervalSeconds,
        running,
      }));
    this.#begin();
  }

  /** Runs to the end and tells what was measured. */
  run(): Outcome {
    const { warmUpSeconds, measureSeconds, cores } = this.#scenario;
    const calendar = this.#calendar;
    const end = warmUpSeconds + measureSeconds;
    let events = 0;
    for (let time = calendar.nextTime; time < end; time = calendar.nextTime) {
      this.#now = time;
      this.#act(calendar.pop());
      events++;
    }
    this.#now = end;
    this.#overload.advance(end, warmUpSeconds);
    const total = cores.reduce((sum, count) => sum + count, 0);
    return {
      ...this.#jobTimes.summary(),
      avoidableOverload: this.#overload.avoidableShare,
      utilisation: this.#overload.threadSeconds / (total * measureSeconds),
      refused: this.#refused,
      ...this.#classOutcome(),
      dropped: this.#dropped,
      meanWait: this.#waited / this.#placed,
      longestWait: this.#longestWait,
      events,
    };
  }

  #begin(): void {
    const { cores, streams, balancers, polls, base } = this.#scenario;
    base?.forEach((threads, server) => {
      if (threads === 0) return;
      const session = this.#sessions.add(server, NOBODY, NO_STREAM);
      this.#servers[server]!.start(session, threads, FOREVER_SECONDS, 0);
      this.#afterChange(server);
    });
    const seen = new Set<number>();
    const startsOut = new Set<number>();
    for (const { server, isIn } of this.#churn) {
      if (!seen.has(server) && isIn) startsOut.add(server);
      seen.add(server);
    }
    for (let balancer = 0; balancer < balancers; balancer++) {
      for (let server = 0; server < cores.length; server++) {
        if (!startsOut.has(server)) this.#placers[balancer]!.admitted(server, true, 0);
        const poll = balancer * cores.length + server;
        // A program asks everybody within a second of its start, whatever the interval.
        const first = Math.min(FIRST_POLL_SECONDS, polls.intervalSeconds);
        this.#pollNext[poll] = this.#pollChance[balancer]!.next() * first;
        if (polls.intervalSeconds < Infinity) {
          this.#calendar.schedule(this.#firstPoll + poll, this.#pollNext[poll]!);
        }
      }
    }
    streams.forEach((_, index) => this.#scheduleArrival(index));
    if (this.#classTimes.length > 0) {
      this.#calendar.schedule(this.#classActor, this.#classTimes[0]!);
    }
    if (this.#churn.length > 0) this.#calendar.schedule(this.#churnActor, this.#churn[0]!.at);
  }

  #act(actor: number): void {
    if (actor < this.#firstPoll) this.#jobEnds(actor);
    else if (actor >= this.#firstSession) this.#sessionGoesOn(actor - this.#firstSession);
    else if (actor < this.#firstStream) this.#poll(actor - this.#firstPoll);
    else if (actor < this.#classActor) this.#arrival(actor - this.#firstStream);
    else if (actor === this.#classActor) this.#classArrival();
    else if (actor === this.#churnActor) this.#change();
    else this.#look(actor - this.#firstQueue);
  }

  #scheduleArrival(index: number): void {
    this.#calendar.schedule(this.#firstStream + index, this.#arrivals[index]!.next(this.#now));
  }

  #arrival(index: number): void {
    const arrivals = this.#arrivals[index]!;
    const uniform = arrivals.chance.next();
    const key = arrivals.come(this.#nextKey());
    this.#scheduleArrival(index);
    const server = arrivals.direct(uniform);
    if (server !== undefined) this.#open(server, NOBODY, index, key);
    else this.#login(Math.floor(uniform * this.#placers.length), index, arrivals.client, key);
  }

  #classArrival(): void {
    if (this.#classPlaced === 0) {
      this.#classFree = this.#servers.map(({ cores, running }) => Math.max(0, cores - running));
    }
    const balancer = this.#classChance.below(this.#placers.length);
    // Everybody in a class sits at a machine of their own.
    const client = POPULATION + this.#classPlaced;
    this.#login(balancer, this.#scenario.streams.length, client, this.#nextKey());
    this.#classPlaced++;
    if (this.#classPlaced < this.#classTimes.length) {
      this.#calendar.schedule(this.#classActor, this.#classTimes[this.#classPlaced]!);
    }
  }

  #login(balancer: number, stream: number, client: number, key: number): void {
    const queue = this.#queues[balancer]!;
    const waiting = { cameAt: this.#now, stream, client, key };
    if (queue.length === 0 && this.#place(balancer, waiting)) return;
    queue.push(waiting);
    if (queue.length === 1) this.#lookLater(balancer);
  }

  /** Lets a balancer look whether there is a server for those who wait, the first of them first. */
  #look(balancer: number): void {
    const queue = this.#queues[balancer]!;
    let placed = 0;
    while (placed < queue.length && this.#place(balancer, queue[placed]!)) placed++;
    queue.splice(0, placed);
    if (queue.length > 0) this.#lookLater(balancer);
  }

  #lookLater(balancer: number): void {
    this.#calendar.schedule(this.#firstQueue + balancer, this.#now + LOOK_SECONDS);
  }

  /** @returns false: the session waits. */
  #place(balancer: number, { cameAt, stream, client, key }: Waiting): boolean {
    const placer = this.#placers[balancer]!;
    if (placer.foresee !== undefined) placer.foresee(this.#jobsOf(stream, key));
    const waited = this.#now - cameAt;
    const patience = Math.max(0, (placer.queueSeconds ?? 0) - waited);
    const server = placer.place(this.#now, client, patience);
    if (server === WAITS) return false;
    if (server < 0) {
      this.#refused++;
      return true;
    }
    this.#placed++;
    this.#waited += waited;
    this.#longestWait = Math.max(this.#longestWait, waited);
    const { classStart, streams } = this.#scenario;
    if (stream === streams.length) this.#classSessions[server]!++;
    if (classStart?.loginSeconds !== undefined && stream === streams.length) {
      const loginSeconds = classStart.loginSeconds * (0.5 + this.#sshdChance.next());
      if (!this.#sshds[server]!.admits(this.#now, loginSeconds, this.#sshdChance.next())) {
        this.#dropped++;
        placer.ended(server, this.#now, this.#now);
        return true;
      }
    }
    this.#open(server, balancer, stream, key);
    return true;
  }

  #open(server: number, balancer: number, stream: number, key: number): void {
    const session = this.#sessions.add(server, balancer, stream);
    this.#sessionNumber++;
    this.#sessions.key[session] = key;
    this.#sessions.placedAt[session] = this.#now;
    for (const placer of this.#placers) placer.opened?.(server, this.#jobsOf(stream, key));
    this.#plan(session);
  }

  #nextKey(): number {
    return mix32(this.#seed ^ mix32(this.#sessionNumber + 1));
  }

  /** All jobs of a session that comes now, as they would run without any wait. */
  #jobsOf(stream: number, key: number): PlannedJob[] {
    const step = new Step();
    const chance = new SessionChance();
    chance.key = key;
    const jobs: PlannedJob[] = [];
    for (let start = this.#now;;) {
      this.#behaviour(stream).next(step, chance);
      if (step.threads === 0) return jobs;
      start += step.pause;
      jobs.push({ start, end: start + step.seconds, threads: step.threads });
      start += step.seconds;
    }
  }

  /** Asks the behaviour what comes next and schedules it. */
  #plan(session: number): void {
    const sessions = this.#sessions;
    const step = this.#step;
    const chance = this.#sessionChance;
    step.phase = sessions.phase[session]!;
    chance.key = sessions.key[session]!;
    chance.counter = sessions.counter[session]!;
    this.#behaviour(sessions.stream[session]!).next(step, chance);
    sessions.phase[session] = step.phase;
    sessions.counter[session] = chance.counter;
    sessions.threads[session] = step.threads;
    sessions.seconds[session] = step.seconds;
    if (step.pause > 0) {
      this.#calendar.schedule(this.#firstSession + session, this.#now + step.pause);
    } else this.#sessionGoesOn(session);
  }

  #behaviour(stream: number): Behaviour {
    const { streams, classStart } = this.#scenario;
    const behaviour = streams[stream]?.behaviour ?? classStart?.behaviour;
    if (behaviour === undefined) throw new Error(`Cannot simulate stream ${stream}: no behaviour`);
    return behaviour;
  }

  #sessionGoesOn(session: number): void {
    const sessions = this.#sessions;
    const server = sessions.server[session]!;
    const threads = sessions.threads[session]!;
    if (threads === 0) {
      const balancer = sessions.balancer[session]!;
      sessions.remove(session);
      const placedAt = sessions.placedAt[session]!;
      if (balancer >= 0) this.#placers[balancer]!.ended(server, this.#now, placedAt);
      return;
    }
    sessions.startedAt[session] = this.#now;
    const before = this.#beforeChange(server);
    before.start(session, threads, sessions.seconds[session]!, this.#now);
    this.#afterChange(server);
  }

  #jobEnds(server: number): void {
    const session = this.#beforeChange(server).end(this.#now);
    this.#afterChange(server);
    this.#measure(session);
    this.#plan(session);
  }

  #measure(session: number): void {
    if (this.#now < this.#scenario.warmUpSeconds) return;
    const sessions = this.#sessions;
    const took = this.#now - sessions.startedAt[session]!;
    const isPlaced = sessions.balancer[session]! >= 0;
    this.#jobTimes.add(took, sessions.seconds[session]!, isPlaced);
  }

  /** Lets time pass on a server up to now. */
  #beforeChange(server: number): ProcessorSharing {
    const sharing = this.#servers[server]!;
    this.#advanceFigures(server);
    this.#overload.advance(this.#now, this.#scenario.warmUpSeconds);
    return sharing;
  }

  /** Lets the kernel's figures of a server run up to now. */
  #advanceFigures(server: number): void {
    const { running, cores } = this.#servers[server]!;
    this.#loads[server]!.advance(this.#now, running + (this.#scenario.diskTasks?.[server] ?? 0));
    this.#pressures[server]!.advance(this.#now, running > cores);
  }

  #afterChange(server: number): void {
    const sharing = this.#servers[server]!;
    this.#overload.set(server, sharing.running);
    this.#calendar.schedule(server, sharing.nextEnd(this.#now));
  }

  /** A poll reads the load, or what was read arrives. */
  #poll(poll: number): void {
    const { cores, polls } = this.#scenario;
    const balancer = Math.floor(poll / cores.length);
    const server = poll % cores.length;
    const actor = this.#firstPoll + poll;
    const chance = this.#pollChance[balancer]!;
    if (this.#isOnTheWay[poll] === 1) {
      this.#isOnTheWay[poll] = 0;
      const load1 = this.#onTheWay[poll]!;
      if (!Number.isNaN(load1)) {
        const pressure = this.#pressureOnTheWay[poll]!;
        this.#placers[balancer]!.sampled(server, load1, this.#now, pressure);
      }
      this.#calendar.schedule(actor, Math.max(this.#now, this.#pollNext[poll]!));
      return;
    }
    const spread = 1 - polls.jitter + 2 * polls.jitter * chance.next();
    this.#pollNext[poll] = this.#now + polls.intervalSeconds * spread;
    const half = chance.exponential(polls.delaySeconds) / 2;
    const isLost = chance.next() < polls.loss;
    this.#advanceFigures(server);
    this.#onTheWay[poll] = isLost ? NaN : this.#loads[server]!.shown;
    this.#pressureOnTheWay[poll] = this.#pressures[server]!.shown;
    this.#isOnTheWay[poll] = 1;
    this.#calendar.schedule(actor, this.#now + half);
  }

  #change(): void {
    const { server, isIn } = this.#churn[this.#churned++]!;
    for (const placer of this.#placers) placer.admitted(server, isIn, this.#now);
    const next = this.#churn[this.#churned];
    if (next !== undefined) this.#calendar.schedule(this.#churnActor, next.at);
  }

  #classOutcome(): Pick<
    Outcome,
    "largestShare" | "fairShare" | "misplacedShare" | "classSessions"
  > {
    const sum = this.#classFree.reduce((total, free) => total + free, 0);
    const share = (server: number) => this.#classSessions[server]! / this.#classPlaced;
    const fair = (server: number) => (this.#classFree[server] ?? NaN) / sum;
    let most = 0;
    let apart = 0;
    for (let server = 0; server < this.#classSessions.length; server++) {
      if (this.#classSessions[server]! > this.#classSessions[most]!) most = server;
      apart += Math.abs(share(server) - fair(server));
    }
    return {
      largestShare: share(most),
      fairShare: fair(most),
      misplacedShare: apart / 2,
      classSessions: [...this.#classSessions],
    };
  }
}
