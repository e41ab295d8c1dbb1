// The relay: moves the bytes of tunnels between their two sockets.
//
//            direction 0 (to the backend)
//   client ───▶ recv ─▶ copy buffer ─▶ send ───▶ backend      while messages are small
//          ───▶ splice ─▶ pipe ─▶ splice ──────▶              while they come in bulk
//          ◀───────────── direction 1, the same ─────────────
//
// A direction reads from side `d` and writes to side `1 - d`. What the writing side does not take is
// held, in the pipe or in a buffer, and nothing more is read until it is gone: that is back-pressure.
//
// A short read is the last one (edge-triggered), unless the event says the end, an error or urgent data comes,
// or the socket is unix. A read that fills 16 KiB turns its direction to splice through a pooled 256 KiB pipe
// until that runs dry. splice(2) cannot pass urgent data and stops there as at the end, so recv(2) decides what
// was the end (portable/urgent_marks.ts has the other engine's side of it). A reset is passed on as a reset
// unless bytes are still on their way (SIOCOUTQ), which are delivered first. What a client still sends to a
// backend that is gone is read and thrown away, so that it comes to read what the backend left for it.
//
// All methods run in the worker.
//
// `!` on typed-array reads: bases belong to tunnels of this table.

import {
  BYTES,
  FD,
  FLAGS,
  HELD,
  HOLDER,
  LAST_MOVE,
  REASON,
  TUNNEL_NUMBERS,
  TUNNEL_WORDS,
} from "./layout.ts";
import {
  addressOf,
  EAGAIN,
  EINTR,
  EINVAL,
  type Libc,
  MSG_NOSIGNAL,
  SHUT_WR,
  SPLICE_F_MOVE,
  SPLICE_F_NONBLOCK,
} from "./libc.ts";
import { Holdings, PIPE_BYTES, Pipes } from "./pipes.ts";
import {
  BROKEN,
  BULK,
  ENDED,
  HOLDS_HEADER,
  PASSED,
  READABLE,
  SHORT_READ_INCONCLUSIVE,
  type TunnelTable,
  UNSPLICEABLE,
  WRITABLE,
} from "./tunnel_table.ts";
import { BACKEND_CLOSED, BACKEND_RESET, CLIENT_CLOSED, CLIENT_RESET } from "./records.ts";

/** What one read copies at most; a read that fills it turns its direction to splice. */
const COPY_BYTES = 16 * 1024;
/** Bytes that a direction moves before the others have their turn. */
const BUDGET_BYTES = 256 * 1024;
/** How long a side that sends to one that is gone may take none of what that has left for it. */
const LINGER_MS = 5000;

/** What became of a pump. */
const GOING = 0;
/** Both directions are at their end, or a side is gone: close the tunnel. */
export const OVER = 1;
/** The budget is used up; there is more to move. */
export const BUDGET_EXHAUSTED = 2;

export class Relay {
  readonly #words: Int32Array;
  readonly #numbers: Float64Array;
  readonly #libc: Libc;
  readonly #errno: Int32Array;
  readonly #pipes: Pipes;
  readonly #holdings = new Holdings(COPY_BYTES);
  readonly #copy = new Uint8Array(COPY_BYTES);
  readonly #copyAddress: Deno.PointerObject;
  /** Pipes that were not to be had, since start. */
  pipesDenied = 0;

  constructor(libc: Libc, table: TunnelTable, pipes: Pipes) {
    this.#libc = libc;
    this.#errno = libc.errno;
    this.#words = table.words;
    this.#numbers = table.numbers;
    this.#pipes = pipes;
    this.#copyAddress = addressOf(this.#copy);
  }

  /** Moves bytes from side `d` to the other until one of them blocks or the budget is used up. */
  pump(slot: number, d: number, nowMs: number): number {
    const words = this.#words;
    const calls = this.#libc.calls;
    const base = slot * TUNNEL_WORDS;
    const figures = slot * TUNNEL_NUMBERS + BYTES + d;
    const from = words[base + FD + d]!;
    const to = words[base + FD + 1 - d]!;
    let budget = BUDGET_BYTES;
    for (;;) {
      const flags = words[base + FLAGS]!;
      if ((flags & (PASSED << d)) !== 0) {
        return (flags & (BROKEN << (1 - d))) === 0 ? GOING : this.#discard(slot, d, nowMs);
      }
      if (words[base + HELD + d]! > 0) {
        if ((flags & (WRITABLE << (1 - d))) === 0) return GOING;
        const moved = this.#flush(base, d, to);
        if (moved > 0) {
          if (d === 1 || (flags & HOLDS_HEADER) === 0) this.#numbers[figures]! += moved;
          else if (words[base + HELD] === 0) words[base + FLAGS]! &= ~HOLDS_HEADER;
          this.#numbers[slot * TUNNEL_NUMBERS + LAST_MOVE] = nowMs;
          budget -= moved;
          continue;
        }
        const errno = this.#errno[0]!;
        if (errno === EINTR) continue;
        if (errno === EAGAIN) {
          words[base + FLAGS]! &= ~(WRITABLE << (1 - d));
          return GOING;
        }
        return this.broken(slot, 1 - d, nowMs);
      }
      if ((flags & (ENDED << d)) !== 0) return this.#pass(base, d, to);
      if ((flags & (READABLE << d)) === 0) {
        this.drop(base, d);
        return GOING;
      }
      if (budget <= 0) return BUDGET_EXHAUSTED;

      if ((flags & (BULK << d)) !== 0 && this.#pipe(base, d)) {
        const pipe = words[base + HOLDER + d]! - 1;
        const count = calls.splice(
          from,
          null,
          this.#pipes.writeEnd(pipe),
          null,
          PIPE_BYTES,
          SPLICE_F_MOVE | SPLICE_F_NONBLOCK,
        );
        if (count > 0) {
          words[base + HELD + d] = count;
          continue;
        }
        words[base + FLAGS]! &= ~(BULK << d);
        // splice(2) stops before urgent data, and then says what it says at the end, or when there is nothing
        // more. recv(2) goes past it, and decides.
        if (count === 0) continue;
        const errno = this.#errno[0]!;
        if (errno === EAGAIN && (flags & (SHORT_READ_INCONCLUSIVE << d)) !== 0) continue;
        if (errno === EINVAL) words[base + FLAGS]! |= UNSPLICEABLE << d;
        else if (this.#stopped(base, d, count)) return this.#reset(slot, d);
        continue;
      }

      const count = calls.recv(from, this.#copyAddress, COPY_BYTES, 0);
      if (count <= 0) {
        if (this.#stopped(base, d, count)) return this.#reset(slot, d);
        continue;
      }
      if (count === COPY_BYTES) {
        if ((flags & (UNSPLICEABLE << d)) === 0) words[base + FLAGS]! |= BULK << d;
      } else if ((flags & (SHORT_READ_INCONCLUSIVE << d)) === 0) {
        words[base + FLAGS]! &= ~(READABLE << d);
      }
      this.#numbers[slot * TUNNEL_NUMBERS + LAST_MOVE] = nowMs;
      budget -= count;
      const sent = calls.send(to, this.#copyAddress, count, MSG_NOSIGNAL);
      if (sent === count) {
        this.#numbers[figures]! += count;
        continue;
      }
      if (sent > 0) this.#numbers[figures]! += sent;
      else if (this.#errno[0]! !== EAGAIN && this.#errno[0]! !== EINTR) {
        return this.broken(slot, 1 - d, nowMs);
      }
      // What was not taken waits; the next flush finds out whether the side still is writable.
      this.#hold(base, d, this.#copy.subarray(Math.max(0, sent), count));
    }
  }

  /** Has the rest of a PROXY header go to the backend, before all that the client says. */
  holdHeader(base: number, rest: Uint8Array): void {
    this.#hold(base, 0, rest);
    this.#words[base + FLAGS]! |= HOLDS_HEADER;
  }

  /** Side `side` is gone: nothing can be written to it, but what it sent still counts. */
  broken(slot: number, side: number, nowMs: number): number {
    const base = slot * TUNNEL_WORDS;
    const words = this.#words;
    this.#reset(slot, side);
    if ((words[base + FLAGS]! & (BROKEN << side)) !== 0) return OVER;
    words[base + FLAGS]! |= BROKEN << side | READABLE << side | ENDED << (1 - side) |
      PASSED << (1 - side);
    this.drop(base, 1 - side);
    // First: what is unread when we close would turn that into a reset, which can overtake the answer.
    const result = this.#discard(slot, 1 - side, nowMs);
    if ((words[base + FLAGS]! & (ENDED << side)) !== 0 && words[base + HELD + side] === 0) {
      return OVER;
    }
    return result === GOING ? this.pump(slot, side, nowMs) : result;
  }

  /**
   * Reads from side `d` what can be passed on to nobody: whoever sends before it reads would never come
   * to read what the other side has left for it. One that takes none of it for long is given up.
   */
  #discard(slot: number, d: number, nowMs: number): number {
    const base = slot * TUNNEL_WORDS;
    const words = this.#words;
    const patience = this.#numbers[slot * TUNNEL_NUMBERS + LAST_MOVE]! + LINGER_MS;
    for (let budget = BUDGET_BYTES; (words[base + FLAGS]! & (READABLE << d)) !== 0;) {
      if (budget <= 0) return BUDGET_EXHAUSTED;
      const count = this.#libc.calls.recv(words[base + FD + d]!, this.#copyAddress, COPY_BYTES, 0);
      if (count < 0 && this.#errno[0]! === EINTR) continue;
      if (count < 0 && this.#errno[0]! !== EAGAIN) return OVER;
      if (count > 0 && nowMs > patience) return OVER;
      if (count <= 0) words[base + FLAGS]! &= ~(READABLE << d);
      budget -= count;
    }
    return GOING;
  }

  /** Gives back what holds the direction's bytes, and any bytes that are left in it are lost. */
  drop(base: number, d: number): void {
    const holder = this.#words[base + HOLDER + d]!;
    if (holder === 0) return;
    if (holder > 0) this.#pipes.give(holder - 1, this.#words[base + HELD + d] === 0);
    else this.#holdings.give(-holder - 1);
    this.#words[base + HOLDER + d] = 0;
    this.#words[base + HELD + d] = 0;
  }

  /** Writes held bytes to the other side. @returns how many, or -1 with errno. */
  #flush(base: number, d: number, to: number): number {
    const words = this.#words;
    const holder = words[base + HOLDER + d]!;
    const held = words[base + HELD + d]!;
    if (holder > 0) {
      const flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;
      const end = this.#pipes.readEnd(holder - 1);
      const count = this.#libc.calls.splice(end, null, to, null, held, flags);
      if (count > 0) words[base + HELD + d] = held - count;
      return count;
    }
    const holding = this.#holdings.at(-holder - 1);
    const count = this.#libc.calls.send(to, holding.rest(), held, MSG_NOSIGNAL);
    if (count > 0) {
      holding.offset += count;
      words[base + HELD + d] = held - count;
      if (held === count) this.drop(base, d);
    }
    return count;
  }

  /** Sees to it that the direction has a pipe; false when there is none to be had. */
  #pipe(base: number, d: number): boolean {
    if (this.#words[base + HOLDER + d]! > 0) return true;
    const pipe = this.#pipes.take();
    if (pipe < 0) {
      this.pipesDenied++;
      return false;
    }
    this.#words[base + HOLDER + d] = pipe + 1;
    return true;
  }

  #hold(base: number, d: number, bytes: Uint8Array): void {
    this.drop(base, d);
    const number = this.#holdings.take();
    const holding = this.#holdings.at(number);
    holding.bytes.set(bytes);
    holding.offset = 0;
    this.#words[base + HOLDER + d] = -(number + 1);
    this.#words[base + HELD + d] = bytes.length;
  }

  /** Notes why a read gave no bytes. @returns true when it failed because the side is gone. */
  #stopped(base: number, d: number, count: number): boolean {
    const words = this.#words;
    if (count === 0) {
      words[base + FLAGS]! |= ENDED << d;
      if (words[base + REASON] === 0) {
        words[base + REASON] = d === 0 ? CLIENT_CLOSED : BACKEND_CLOSED;
      }
      return false;
    }
    const errno = this.#errno[0]!;
    if (errno === EINTR) return false;
    if (errno !== EAGAIN) return true;
    words[base + FLAGS]! &= ~(READABLE << d);
    return false;
  }

  /** Names the side that reset the tunnel, unless it had said that it was finished before. */
  #reset(slot: number, side: number): number {
    const base = slot * TUNNEL_WORDS;
    if ((this.#words[base + FLAGS]! & (ENDED << side)) === 0) {
      this.#words[base + REASON] = side === 0 ? CLIENT_RESET : BACKEND_RESET;
    }
    return OVER;
  }

  /** Passes the end of the input on. */
  #pass(base: number, d: number, to: number): number {
    const words = this.#words;
    words[base + FLAGS]! |= PASSED << d;
    this.drop(base, d);
    // Where the other direction is over too, closing says it all.
    if ((words[base + FLAGS]! & (PASSED << (1 - d))) !== 0) return OVER;
    this.#libc.calls.shutdown(to, SHUT_WR);
    return GOING;
  }
}
