// The simulator's calendar: who acts next. Every actor (a server's next completion, a poll, a pausing
// session) has a small number and at most one appointment, so moving one is cheap and none goes stale.
//
// `!` on typed-array reads: indices are below the arrays' length by construction.

const ABSENT = -1;

/** An indexed binary heap of appointments by time; equal times come in no particular order. */
export class EventQueue {
  #actors: Int32Array;
  #place: Int32Array;
  #time: Float64Array;
  #size = 0;

  /** @param capacity actors expected; it grows when there are more. */
  constructor(capacity = 64) {
    this.#actors = new Int32Array(capacity);
    this.#place = new Int32Array(capacity).fill(ABSENT);
    this.#time = new Float64Array(capacity);
  }

  get size(): number {
    return this.#size;
  }

  /** When the next appointment is; Infinity when there is none. */
  get nextTime(): number {
    return this.#size === 0 ? Infinity : this.#time[this.#actors[0]!]!;
  }

  /** Makes or moves an actor's appointment; Infinity takes it away. */
  schedule(actor: number, time: number): void {
    if (time === Infinity) {
      this.cancel(actor);
      return;
    }
    if (actor >= this.#place.length) this.#grow(actor + 1);
    const before = this.#time[actor]!;
    this.#time[actor] = time;
    let place = this.#place[actor]!;
    if (place === ABSENT) {
      place = this.#size++;
      this.#up(place, actor);
    } else if (time < before) this.#up(place, actor);
    else this.#down(place, actor);
  }

  cancel(actor: number): void {
    if (actor >= this.#place.length) return;
    const place = this.#place[actor]!;
    if (place === ABSENT) return;
    this.#place[actor] = ABSENT;
    const last = this.#actors[--this.#size]!;
    if (last === actor) return;
    if (this.#time[last]! < this.#time[actor]!) this.#up(place, last);
    else this.#down(place, last);
  }

  /** Takes out who acts next; -1 when nobody does. */
  pop(): number {
    if (this.#size === 0) return ABSENT;
    const actor = this.#actors[0]!;
    this.#place[actor] = ABSENT;
    const last = this.#actors[--this.#size]!;
    if (this.#size > 0) this.#down(0, last);
    return actor;
  }

  #up(from: number, actor: number): void {
    const time = this.#time[actor]!;
    let place = from;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const other = this.#actors[above]!;
      if (this.#time[other]! <= time) break;
      this.#set(place, other);
      place = above;
    }
    this.#set(place, actor);
  }

  #down(from: number, actor: number): void {
    const time = this.#time[actor]!;
    let place = from;
    for (;;) {
      let below = 2 * place + 1;
      if (below >= this.#size) break;
      const right = below + 1;
      if (
        right < this.#size && this.#time[this.#actors[right]!]! < this.#time[this.#actors[below]!]!
      ) below = right;
      const other = this.#actors[below]!;
      if (this.#time[other]! >= time) break;
      this.#set(place, other);
      place = below;
    }
    this.#set(place, actor);
  }

  #set(place: number, actor: number): void {
    this.#actors[place] = actor;
    this.#place[actor] = place;
  }

  #grow(needed: number): void {
    const length = Math.max(needed, 2 * this.#place.length);
    const actors = new Int32Array(length);
    actors.set(this.#actors);
    this.#actors = actors;
    const place = new Int32Array(length).fill(ABSENT);
    place.set(this.#place);
    this.#place = place;
    const time = new Float64Array(length);
    time.set(this.#time);
    this.#time = time;
  }
}
