// The workers as the control plane sees them: starts them, posts messages, listens to their heartbeat,
// cleans up after one that died and puts another in its place. Runs on the control plane.

import { SourceTable } from "../../core/admission/source_table.ts";
import type { PickTable } from "../../core/pick/pick_table.ts";
import type { Clock } from "../../core/timing/clock.ts";
import { messageOf } from "../../core/values/errors.ts";
import { reclaim } from "./reclaim.ts";
import {
  allocateEngineMemory,
  LISTENING,
  MESSAGES_SENT,
  NEXT_RECORD,
  WORKER_LOAD,
  type WorkerMemory,
} from "./layout.ts";
import {
  addressOf,
  EFD_CLOEXEC,
  EFD_NONBLOCK,
  EPOLL_CLOEXEC,
  type Libc,
  LibcError,
} from "./libc.ts";
import type { FromWorker, KeepaliveOptions, ToWorker } from "./control_messages.ts";
import { HandoffQueue } from "./handoff_queue.ts";
import type { RecordsRead } from "./numbers.ts";
import { Reserve } from "./reserve.ts";
import type { RingReader } from "./ring.ts";
import { WorkerHandle } from "./worker_handle.ts";

/** A worker died. */
export interface WorkerLoss {
  readonly worker: number;
  /** Sessions that it carried, all of them ended by its death. */
  readonly tunnels: number;
  readonly message: string;
}

export interface SupervisorOptions {
  /** A module that imports worker.ts when it runs in a worker: the program's own main.ts. */
  readonly workerUrl: string | URL;
  readonly workers: number;
  /** Most tunnels per worker. */
  readonly capacity: number;
  readonly clock: Clock;
  readonly keepalive: KeepaliveOptions;
  readonly onWorkerLost: (loss: WorkerLoss) => void;
  /** The data plane cannot be kept going: the program should exit at once and be started again. */
  readonly onFatal: (message: string) => void;
  /** How workers are watched. @default every 2 s, stuck after 5 looks without a heartbeat */
  readonly watch?: { readonly intervalMs: number; readonly misses: number };
}

/** What the supervisor asks the engine. */
export interface NewWorkerState {
  /** All that a new worker must be told before it may serve. */
  messages(): readonly ToWorker[];
  /** The table of a plan that tunnels were made by. */
  tableOf(planId: number): PickTable | undefined;
}

/**
 * A worker that has nothing to do turns once a second, so that many looks must miss. Looks are counted, not
 * seconds: a process that was stopped and goes on must not find all its workers guilty.
 */
const WATCH = { intervalMs: 2000, misses: 5 };
/** Deaths within a minute that are put up with. */
const MAX_DEATHS = 5;
const DEATHS_WINDOW_MS = 60_000;
/** How long a worker has to start: from source, its modules are compiled first. */
const START_PATIENCE_MS = 30_000;
/** How long it has to end. */
const STOP_PATIENCE_MS = 10_000;

export class Supervisor {
  readonly engineMemory = allocateEngineMemory();
  readonly sources = SourceTable.allocate();
  readonly #libc: Libc;
  readonly #options: SupervisorOptions;
  readonly #watch: { readonly intervalMs: number; readonly misses: number };
  readonly #newWorkerState: NewWorkerState;
  readonly #onEvents: () => void;
  readonly #one = new Uint8Array(new BigUint64Array([1n]).buffer);
  readonly #workers: WorkerHandle[] = [];
  /** By a worker's number; they outlive it, so that the others need not be told of its successor. */
  readonly #handoffs: SharedArrayBuffer[] = [];
  readonly #wakeFds: number[] = [];
  /** Rings of workers that died, until they are read. */
  dead: WorkerHandle[] = [];
  readonly #lostCounters = new Float64Array(16);
  #deaths: number[] = [];
  #lastId = 0;
  #held = false;
  #changed = Promise.withResolvers<void>();
  #eventsWanted = false;
  #started = false;
  /** Where the workers' clocks begin, in milliseconds since the epoch. */
  readonly #originMs = performance.timeOrigin + performance.now();
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(
    libc: Libc,
    options: SupervisorOptions,
    newWorkerState: NewWorkerState,
    onEvents: () => void,
  ) {
    this.#libc = libc;
    this.#options = options;
    this.#watch = options.watch ?? WATCH;
    this.#newWorkerState = newWorkerState;
    this.#onEvents = onEvents;
  }

  get running(): boolean {
    return this.#workers.length > 0;
  }

  /**
   * Starts the workers and waits until all serve.
   * @throws {Error} when one does not come up.
   */
  async start(): Promise<void> {
    const { calls, errno } = this.#libc;
    for (let i = 0; i < this.#options.workers; i++) {
      const wakeFd = calls.eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
      if (wakeFd < 0) throw new LibcError("Cannot make an eventfd", errno[0] ?? 0);
      this.#wakeFds.push(wakeFd);
      this.#handoffs.push(HandoffQueue.allocate());
    }
    for (let i = 0; i < this.#options.workers; i++) this.#workers.push(this.#spawn(i));
    this.#timer = setInterval(() => this.#checkHeartbeats(), this.#watch.intervalMs);
    await Promise.all(
      this.#workers.map((worker) => this.#within("start", worker.ready.promise, START_PATIENCE_MS)),
    );
    this.#started = true;
  }

  /**
   * Posts a message to all workers. Counted for all before it is posted to any: one that has acted on it
   * may hand a client over to another, which must not take the client before it has acted on it too.
   */
  post(message: ToWorker): void {
    for (const worker of this.#workers) this.#announce(worker, 1);
    for (const worker of this.#workers) this.#send(worker, message);
  }

  /**
   * Resolves when no worker begins a client any more; relaying goes on. Holds until `listen`.
   * @param closing listeners whose waiting clients are begun before that.
   */
  async hold(closing: readonly number[]): Promise<void> {
    this.#held = true;
    // Twice: after the first, a worker may have clients in its handoff that another accepted before it held.
    for (let round = 0; round < 2; round++) {
      const id = ++this.#lastId;
      this.post({ kind: "hold", id, closing });
      // A worker that has not said hello begins nobody: it acts on all that waits for it first.
      await this.#until((worker) => worker.outbox !== undefined || worker.done >= id);
    }
  }

  /** Posts a `listen` message and waits until every worker has acted on it. */
  async listen(listeners: Extract<ToWorker, { kind: "listen" }>["listeners"]): Promise<void> {
    const id = ++this.#lastId;
    this.#held = false;
    this.post({ kind: "listen", id, listeners });
    await this.#until((worker) => worker.done >= id);
  }

  /** The id of the last message that workers answer, for a worker that comes later. */
  get lastId(): number {
    return this.#lastId;
  }

  /** Rings that may hold records, those of dead workers included. */
  rings(): RingReader[] {
    this.dead = this.dead.filter((worker) => !worker.reader.empty);
    return [...this.dead, ...this.#workers].map((worker) => worker.reader);
  }

  /** How far their records have got, and their reader. */
  get recordsRead(): RecordsRead {
    const rings = this.rings();
    return {
      written: Atomics.load(this.engineMemory, NEXT_RECORD),
      // By difference, since numbers wrap around at 2^32.
      isRead: (count) => rings.every(({ next }) => next === undefined || ((next - count) | 0) >= 0),
    };
  }

  /** The memory of every worker that lives. */
  get memories(): readonly WorkerMemory[] {
    return this.#workers.map(({ memory }) => memory);
  }

  /** Now, by the workers' clock. */
  get nowMs(): number {
    return performance.timeOrigin + performance.now() - this.#originMs;
  }

  /** Asks the workers to tell once when there are events. */
  wantEvents(wanted: boolean): void {
    this.#eventsWanted = wanted;
    for (const worker of this.#workers) {
      Atomics.store(worker.memory.control, LISTENING, wanted ? 1 : 0);
    }
  }

  /** One counter, summed over all workers, the dead included. */
  count(counter: number): number {
    return this.#workers.reduce(
      (sum, worker) => sum + (worker.memory.counters[counter] ?? 0),
      this.#lostCounters[counter] ?? 0,
    );
  }

  /** Clients that each worker has: tunnels, and those that may become one. */
  get loads(): readonly number[] {
    return this.#workers.map((worker) =>
      Atomics.load(this.engineMemory, WORKER_LOAD + worker.number)
    );
  }

  /** Tells whether every worker has acted on all that was posted. */
  get settled(): boolean {
    return this.#workers.every((worker) => worker.isSettled);
  }

  /** Ends the workers, and with them every tunnel. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#started = false;
    const workers = this.#workers.splice(0);
    for (const worker of workers) {
      worker.ready.reject(new Error("Cannot start a worker: it was stopped"));
    }
    for (const worker of workers) this.#post(worker, [{ kind: "stop" }]);
    await Promise.all(workers.map(async (worker) => {
      try {
        if (worker.outbox === undefined) {
          await this.#within("stop", worker.stopped.promise, STOP_PATIENCE_MS);
        }
      } catch {
        // It hangs; terminate() is what is left, and the process will have to be ended by exit.
      }
      worker.thread.terminate();
      this.#retire(worker);
    }));
    // Their last records are still to be read.
    this.dead.push(...workers);
    for (const wakeFd of this.#wakeFds.splice(0)) this.#libc.calls.close(wakeFd);
    new Reserve(this.#libc, this.engineMemory).spend();
    this.#handoffs.length = 0;
  }

  #spawn(number: number): WorkerHandle {
    const { calls, errno } = this.#libc;
    const epollFd = calls.epoll_create1(EPOLL_CLOEXEC);
    if (epollFd < 0) throw new LibcError("Cannot make an epoll instance", errno[0] ?? 0);
    const { workerUrl, capacity, keepalive } = this.#options;
    const thread = new Worker(workerUrl, { type: "module", name: `splice-${number}` });
    const worker = new WorkerHandle(number, thread, epollFd, capacity);
    thread.addEventListener("message", (event: MessageEvent<FromWorker>) => {
      this.#heard(worker, event.data);
    });
    thread.addEventListener("error", (event) => {
      // Without this the whole process would end, and with it the other workers' sessions.
      event.preventDefault();
      this.#died(worker, event.message);
    });
    const { memory } = worker;
    if (this.#eventsWanted) Atomics.store(memory.control, LISTENING, 1);
    const setup = {
      memory,
      engine: this.engineMemory,
      sources: this.sources.buffer,
      epollFd,
      number,
      handoffs: this.#handoffs,
      wakeFds: this.#wakeFds,
      keepalive,
      originMs: this.#originMs,
    };
    this.#post(worker, [{ kind: "setup", setup }, ...this.#newWorkerState.messages()]);
    if (this.#held) this.#post(worker, [{ kind: "hold", id: this.#lastId, closing: [] }]);
    return worker;
  }

  /** Posts messages to one worker, which does nothing else before it has acted on all of them. */
  #post(worker: WorkerHandle, messages: readonly ToWorker[]): void {
    this.#announce(worker, messages.length);
    for (const message of messages) this.#send(worker, message);
  }

  /** Counts what will be posted: a worker that had acted on more than was counted would wait for the next. */
  #announce(worker: WorkerHandle, messages: number): void {
    if (worker.outbox === undefined) Atomics.add(worker.memory.control, MESSAGES_SENT, messages);
  }

  #send(worker: WorkerHandle, message: ToWorker): void {
    if (worker.outbox !== undefined) {
      worker.outbox.push(message);
      return;
    }
    worker.thread.postMessage(message);
    this.#wake(worker.number);
  }

  /** Wakes the worker of this number; one that comes in its place will find itself woken. */
  #wake(number: number): void {
    this.#libc.calls.write(this.#wakeFds[number] ?? -1, addressOf(this.#one), 8);
  }

  #heard(worker: WorkerHandle, message: FromWorker): void {
    switch (message.kind) {
      case "hello": {
        const outbox = worker.outbox ?? [];
        worker.outbox = undefined;
        this.#post(worker, outbox);
        break;
      }
      case "ready":
        worker.ready.resolve();
        break;
      case "events":
        this.#onEvents();
        break;
      case "done":
        worker.done = message.id;
        this.#notify();
        break;
      case "stopped":
        worker.stopped.resolve();
    }
  }

  async #until(isSo: (worker: WorkerHandle) => boolean): Promise<void> {
    while (!this.#workers.every(isSo)) await this.#changed.promise;
  }

  #notify(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  #died(worker: WorkerHandle, message: string): void {
    const at = this.#workers.indexOf(worker);
    worker.ready.reject(new Error(`Cannot start a worker: ${message}`));
    worker.stopped.resolve();
    if (at < 0 || !this.#started) return;
    const tunnels = reclaim(worker.memory, worker.number, {
      libc: this.#libc,
      engine: this.engineMemory,
      sources: this.sources,
      tableOf: (planId) => this.#newWorkerState.tableOf(planId),
      nowMs: this.nowMs,
      atMs: this.#options.clock.wall(),
    });
    // Behind its clients in the queues of pools there may be others', who are the first now.
    for (let number = 0; number < this.#wakeFds.length; number++) this.#wake(number);
    this.#retire(worker);
    this.#workers.splice(at, 1);
    this.dead.push(worker);
    this.#options.onWorkerLost({ worker: worker.number, tunnels, message });
    const now = this.#options.clock.now();
    this.#deaths = [...this.#deaths.filter((death) => death > now - DEATHS_WINDOW_MS), now];
    if (this.#deaths.length > MAX_DEATHS) {
      this.#options.onFatal(`Cannot keep the workers alive: ${MAX_DEATHS + 1} died in a minute`);
    } else {
      try {
        this.#workers.push(this.#spawn(worker.number));
      } catch (error) {
        this.#options.onFatal(`Cannot replace a worker that died: ${messageOf(error)}`);
      }
    }
    this.#notify();
    this.#onEvents();
  }

  /** Keeps a worker's sums and gives its descriptors back. */
  #retire(worker: WorkerHandle): void {
    worker.memory.counters.forEach((value, counter) => {
      this.#lostCounters[counter] = (this.#lostCounters[counter] ?? 0) + value;
    });
    this.#libc.calls.close(worker.epollFd);
  }

  #checkHeartbeats(): void {
    const { intervalMs, misses } = this.#watch;
    // Before it says hello, it loads its modules, which takes long where disk or CPUs are busy.
    const whileLoading = Math.max(misses, Math.ceil(START_PATIENCE_MS / intervalMs));
    for (const worker of this.#workers) {
      const missed = worker.missedLooks(misses, whileLoading);
      if (missed === 0) continue;
      const seconds = intervalMs * missed / 1000;
      this.#options.onFatal(`Worker ${worker.number} has not answered for ${seconds} s`);
    }
  }

  async #within(what: string, promise: Promise<void>, ms: number): Promise<void> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => late.reject(new Error(`Cannot ${what} a worker: no answer in ${ms} ms`)),
      ms,
    );
    try {
      await Promise.race([promise, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }
}
