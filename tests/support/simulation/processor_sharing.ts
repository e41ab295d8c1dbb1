// A simulated server: cores shared evenly by the tasks that run. With n threads on c cores each thread
// advances at the rate min(1, c/n), the same for all. So one clock of virtual time per server says how
// far everybody has come, and a task ends when that clock reaches the mark set at its start.
//
// `!` on typed-array reads: indices are below the arrays' length by construction.

export class ProcessorSharing {
  readonly cores: number;
  /** Threads that run now: what the kernel counts into its load average. */
  running = 0;
  #virtual = 0;
  #updated = 0;
  #marks: Float64Array = new Float64Array(16);
  #tasks: Int32Array = new Int32Array(16);
  #threads: Int32Array = new Int32Array(16);
  #size = 0;

  /** @param cores above 0. */
  constructor(cores: number) {
    this.cores = cores;
  }

  /** Tasks that run now, whatever their threads. */
  get tasks(): number {
    return this.#size;
  }

  /** Starts a task of so many threads that would take `seconds` on a server of its own. */
  start(task: number, threads: number, seconds: number, now: number): void {
    this.#advance(now);
    this.running += threads;
    if (this.#size === this.#marks.length) this.#grow();
    this.#up(this.#size++, this.#virtual + seconds, task, threads);
  }

  /** When the next task ends unless others start or end before; Infinity when none runs. */
  nextEnd(now: number): number {
    if (this.#size === 0) return Infinity;
    this.#advance(now);
    return now + Math.max(0, this.#marks[0]! - this.#virtual) / this.#rate();
  }

  /** Ends the task whose end {@linkcode nextEnd} told, at that time. */
  end(now: number): number {
    this.#advance(now);
    // The mark and not the sum of small steps: rounding does not add up.
    this.#virtual = this.#marks[0]!;
    const task = this.#tasks[0]!;
    this.running -= this.#threads[0]!;
    const last = --this.#size;
    if (last > 0) this.#down(this.#marks[last]!, this.#tasks[last]!, this.#threads[last]!);
    return task;
  }

  #rate(): number {
    return this.running <= this.cores ? 1 : this.cores / this.running;
  }

  #advance(now: number): void {
    if (this.#size > 0) this.#virtual += (now - this.#updated) * this.#rate();
    this.#updated = now;
  }

  #up(from: number, mark: number, task: number, threads: number): void {
    let place = from;
    while (place > 0) {
      const above = (place - 1) >> 1;
      if (this.#marks[above]! <= mark) break;
      this.#move(above, place);
      place = above;
    }
    this.#set(place, mark, task, threads);
  }

  #down(mark: number, task: number, threads: number): void {
    let place = 0;
    for (;;) {
      let below = 2 * place + 1;
      if (below >= this.#size) break;
      if (below + 1 < this.#size && this.#marks[below + 1]! < this.#marks[below]!) below++;
      if (this.#marks[below]! >= mark) break;
      this.#move(below, place);
      place = below;
    }
    this.#set(place, mark, task, threads);
  }

  #move(from: number, to: number): void {
    this.#set(to, this.#marks[from]!, this.#tasks[from]!, this.#threads[from]!);
  }

  #set(place: number, mark: number, task: number, threads: number): void {
    this.#marks[place] = mark;
    this.#tasks[place] = task;
    this.#threads[place] = threads;
  }

  #grow(): void {
    const length = 2 * this.#marks.length;
    const marks = new Float64Array(length);
    marks.set(this.#marks);
    this.#marks = marks;
    const tasks = new Int32Array(length);
    tasks.set(this.#tasks);
    this.#tasks = tasks;
    const threads = new Int32Array(length);
    threads.set(this.#threads);
    this.#threads = threads;
  }
}
