// What holds bytes between two sockets: pipes for splice(2), and buffers for the rest of a copy that
// the other side did not take. Both are pooled, so an idle tunnel owns neither.
//
// All methods run in the worker.
//
// `!` on typed-array reads: indices come from `take` alone.

import { MAX_PIPES } from "./layout.ts";
import { addressOf, F_SETPIPE_SZ, type Libc, O_CLOEXEC, O_NONBLOCK } from "./libc.ts";

/**
 * What a pipe is asked to hold. Measured on loopback, a larger one moves no byte more cheaply, but makes
 * others wait longer; and 256 pipes of this size stay within a user's pipe-user-pages-soft.
 */
export const PIPE_BYTES = 1 << 18;
/** Pipes and buffers that wait in the pool for the next use; what is beyond is given back. */
const SPARE = 64;
/** Reads that copy after the system gave no pipe, before it is asked again. */
const PATIENCE = 256;

export class Pipes {
  /** Descriptors by pipe: read end, write end; 0 where there is none. In shared memory. */
  readonly #ends: Int32Array;
  readonly #libc: Libc;
  readonly #made = new Int32Array(2 + 14);
  readonly #madeAddress: Deno.PointerObject;
  readonly #spare: number[] = [];
  readonly #gaps: number[] = [];
  #used = 0;
  #patience = 0;

  constructor(libc: Libc, ends: Int32Array) {
    this.#libc = libc;
    this.#ends = ends;
    this.#madeAddress = addressOf(this.#made);
  }

  /** Takes an empty pipe. @returns its number, or -1 when the system gives none. */
  take(): number {
    const spare = this.#spare.pop();
    if (spare !== undefined) return spare;
    if (this.#patience > 0) {
      this.#patience--;
      return -1;
    }
    const pipe = this.#gaps.pop() ?? this.#used;
    if (pipe >= MAX_PIPES) return -1;
    if (!this.#make()) {
      if (pipe < this.#used) this.#gaps.push(pipe);
      this.#patience = PATIENCE;
      return -1;
    }
    if (pipe === this.#used) this.#used++;
    this.#ends[2 * pipe] = this.#made[0]!;
    this.#ends[2 * pipe + 1] = this.#made[1]!;
    return pipe;
  }

  readEnd(pipe: number): number {
    return this.#ends[2 * pipe]!;
  }

  writeEnd(pipe: number): number {
    return this.#ends[2 * pipe + 1]!;
  }

  /** Gives a pipe back. One that still holds bytes is closed: nobody else may see them. */
  give(pipe: number, empty: boolean): void {
    if (empty && this.#spare.length < SPARE) {
      this.#spare.push(pipe);
      return;
    }
    this.#close(pipe);
  }

  /**
   * Makes a pipe. One that cannot be grown is no use: over pipe-user-pages-soft, the kernel gives users
   * pipes of two pages, and copying is cheaper than that.
   */
  #make(): boolean {
    const { pipe2, fcntl, close } = this.#libc.calls;
    if (pipe2(this.#madeAddress, O_NONBLOCK | O_CLOEXEC) < 0) return false;
    if (fcntl(this.#made[1]!, F_SETPIPE_SZ, PIPE_BYTES) >= PIPE_BYTES) return true;
    close(this.#made[0]!);
    close(this.#made[1]!);
    return false;
  }

  #close(pipe: number): void {
    this.#libc.calls.close(this.#ends[2 * pipe]!);
    this.#libc.calls.close(this.#ends[2 * pipe + 1]!);
    this.#ends[2 * pipe] = 0;
    this.#ends[2 * pipe + 1] = 0;
    this.#gaps.push(pipe);
  }

  /** Closes what is in the pool. */
  close(): void {
    for (const pipe of this.#spare.splice(0)) this.#close(pipe);
  }
}

/** A buffer that holds the rest of a copy. */
class Holding {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #address: bigint;
  /** Where the rest begins. */
  offset = 0;

  constructor(size: number) {
    this.bytes = new Uint8Array(size);
    this.#address = Deno.UnsafePointer.value(addressOf(this.bytes));
  }

  /** Where the rest begins, for libc. */
  rest(): Deno.PointerValue {
    return Deno.UnsafePointer.create(this.#address + BigInt(this.offset));
  }
}

/** The buffers of one worker, by number. */
export class Holdings {
  readonly #size: number;
  readonly #all: (Holding | undefined)[] = [];
  readonly #spare: number[] = [];
  readonly #gaps: number[] = [];

  /** @param size of each buffer, in bytes. */
  constructor(size: number) {
    this.#size = size;
  }

  /** Takes a buffer. @returns its number. */
  take(): number {
    const spare = this.#spare.pop();
    if (spare !== undefined) return spare;
    const number = this.#gaps.pop() ?? this.#all.length;
    this.#all[number] = new Holding(this.#size);
    return number;
  }

  at(number: number): Holding {
    const holding = this.#all[number];
    if (holding === undefined) throw new Error(`Cannot use buffer ${number}: it was given back`);
    return holding;
  }

  give(number: number): void {
    if (this.#spare.length < SPARE) {
      this.#spare.push(number);
      return;
    }
    this.#all[number] = undefined;
    this.#gaps.push(number);
  }
}
