// A search for a backend as core/dial/dial_policy.ts wants it, in the words of a tunnel's record. One object
// stands for one tunnel after the other, so a search costs no allocation.
//
// All methods run in the worker.
//
// `!` on typed-array reads: slots come from the tunnel table.

import type { Dial } from "../../core/dial/dial_policy.ts";
import type { Tried } from "../../core/pick/choice.ts";
import {
  ADDRESS,
  ATTEMPTS,
  CONNECT_STARTED,
  QUEUED,
  QUEUED_MS,
  ROW,
  STATE,
  TUNNEL_NUMBERS,
  TUNNEL_WORDS,
  type WorkerMemory,
} from "./layout.ts";
import type { Plan, Target } from "./plan.ts";

export class TunnelDial implements Dial {
  readonly #words: Int32Array;
  readonly #numbers: Float64Array;
  readonly #plans: (Plan | undefined)[] = [];
  readonly #tried: (Tried | null | undefined)[] = [];
  slot = 0;
  base = 0;

  constructor(memory: WorkerMemory) {
    this.#words = memory.words;
    this.#numbers = memory.numbers;
  }

  /** Makes it stand for this tunnel. */
  at(slot: number): this {
    this.slot = slot;
    this.base = slot * TUNNEL_WORDS;
    return this;
  }

  get plan(): Plan | undefined {
    return this.#plans[this.slot];
  }

  set plan(plan: Plan | undefined) {
    this.#plans[this.slot] = plan;
  }

  get row(): number {
    return this.#words[this.base + ROW]!;
  }

  get address(): number {
    return this.#words[this.base + ADDRESS]!;
  }

  set address(address: number) {
    this.#words[this.base + ADDRESS] = address;
  }

  get attempts(): number {
    return this.#words[this.base + ATTEMPTS]!;
  }

  set attempts(attempts: number) {
    this.#words[this.base + ATTEMPTS] = attempts;
  }

  get startedMs(): number {
    return this.#numbers[this.slot * TUNNEL_NUMBERS + CONNECT_STARTED]!;
  }

  set startedMs(startedMs: number) {
    this.#numbers[this.slot * TUNNEL_NUMBERS + CONNECT_STARTED] = startedMs;
  }

  get isQueued(): boolean {
    return this.#words[this.base + STATE] === QUEUED;
  }

  get queuedMs(): number {
    return this.#words[this.base + QUEUED_MS]!;
  }

  set queuedMs(queuedMs: number) {
    this.#words[this.base + QUEUED_MS] = Math.round(queuedMs);
  }

  get tried(): Tried | null {
    return this.#tried[this.slot] ?? null;
  }

  set tried(tried: Tried | null) {
    this.#tried[this.slot] = tried;
  }

  /** The address that is tried. */
  get target(): Target | undefined {
    return this.plan?.endpoints[this.row]?.addresses[this.address];
  }
}
