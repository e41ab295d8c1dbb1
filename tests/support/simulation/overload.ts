// Keeps account of overload that a better placement would have avoided.
//
// `!` on typed-array reads: indices are below the arrays' length by construction.

export class Overload {
  readonly #cores: Float64Array;
  readonly #running: Int32Array;
  #updated = 0;
  #threads = 0;
  #overloaded = 0;
  /** Servers with at least one core free. */
  #roomy: number;
  #avoidable = 0;
  #total = 0;

  constructor(cores: readonly number[]) {
    this.#cores = Float64Array.from(cores);
    this.#running = new Int32Array(cores.length);
    this.#roomy = cores.filter((count) => count >= 1).length;
  }

  /** Share of thread-seconds on servers with more threads than cores while another had a core free. */
  get avoidableShare(): number {
    return this.#total === 0 ? 0 : this.#avoidable / this.#total;
  }

  get threadSeconds(): number {
    return this.#total;
  }

  /** Lets time pass up to now; call before anything changes. What came before `from` does not count. */
  advance(now: number, from: number): void {
    const passed = now - Math.max(from, this.#updated);
    this.#updated = now;
    if (passed <= 0) return;
    this.#total += passed * this.#threads;
    if (this.#roomy > 0) this.#avoidable += passed * this.#overloaded;
  }

  set(server: number, running: number): void {
    const before = this.#running[server]!;
    const cores = this.#cores[server]!;
    this.#running[server] = running;
    this.#threads += running - before;
    this.#overloaded += (running > cores ? running : 0) - (before > cores ? before : 0);
    this.#roomy += (cores - running >= 1 ? 1 : 0) - (cores - before >= 1 ? 1 : 0);
  }
}
