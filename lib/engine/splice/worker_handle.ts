// One worker as the supervisor knows it: its thread, its memory, what waits to be posted to it, and its
// heartbeat. Runs on the control plane.

import type { ToWorker } from "./control_messages.ts";
import {
  allocateWorkerMemory,
  HEARTBEAT,
  MESSAGES_READ,
  MESSAGES_SENT,
  type WorkerMemory,
} from "./layout.ts";
import { RingReader } from "./ring.ts";

/** One worker and what belongs to it. */
export class WorkerHandle {
  readonly memory: WorkerMemory;
  readonly reader: RingReader;
  readonly ready = Promise.withResolvers<void>();
  readonly stopped = Promise.withResolvers<void>();
  /** Messages for a worker that has not said hello yet; undefined once it has. */
  outbox: ToWorker[] | undefined = [];
  /** The id of the last message that it has said to have acted on. */
  done = 0;
  #heartbeat = 0;
  /** Whether it had said hello at the last look at its heartbeat. */
  #greeted = false;
  #misses = 0;

  constructor(
    readonly number: number,
    readonly thread: Worker,
    readonly epollFd: number,
    capacity: number,
  ) {
    this.memory = allocateWorkerMemory(capacity);
    this.reader = new RingReader(this.memory.ring, this.memory.control);
    this.ready.promise.catch(() => {});
  }

  /** Whether it has acted on all that was posted. */
  get isSettled(): boolean {
    const { control } = this.memory;
    return this.outbox === undefined &&
      Atomics.load(control, MESSAGES_SENT) === Atomics.load(control, MESSAGES_READ);
  }

  /**
   * Looks whether its loop has turned since the last look.
   * @param misses looks without a turn that are put up with.
   * @param whileLoading the same before it has said hello.
   * @returns how many it has missed when these are just too many, else 0. Never twice: whoever is told exits,
   * and a second report would only add noise.
   */
  missedLooks(misses: number, whileLoading: number): number {
    const heartbeat = Atomics.load(this.memory.control, HEARTBEAT);
    const greeted = this.outbox === undefined;
    const stands = heartbeat === this.#heartbeat && greeted === this.#greeted;
    this.#misses = stands ? this.#misses + 1 : 0;
    this.#heartbeat = heartbeat;
    this.#greeted = greeted;
    const patience = greeted ? misses : whileLoading;
    return this.#misses === patience ? patience : 0;
  }
}
