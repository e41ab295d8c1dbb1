// Sessions of a simulation as columns of numbers: thousands come and go without an allocation.

/** Columns grow when needed; a slot is given again after its session has ended. */
export class SessionTable {
  server = new Int32Array(256);
  /** -1: nobody placed it. */
  balancer = new Int32Array(256);
  stream = new Int32Array(256);
  phase = new Int32Array(256);
  key = new Int32Array(256);
  counter = new Int32Array(256);
  threads = new Int32Array(256);
  seconds = new Float64Array(256);
  startedAt = new Float64Array(256);
  placedAt = new Float64Array(256);
  #free: number[] = [];
  #used = 0;

  add(server: number, balancer: number, stream: number): number {
    const session = this.#free.pop() ?? this.#used++;
    if (session >= this.server.length) this.#grow();
    this.server[session] = server;
    this.balancer[session] = balancer;
    this.stream[session] = stream;
    this.phase[session] = 0;
    this.counter[session] = 0;
    return session;
  }

  remove(session: number): void {
    this.#free.push(session);
  }

  #grow(): void {
    const length = 2 * this.server.length;
    const integers = (old: Int32Array<ArrayBuffer>) => {
      const grown = new Int32Array(length);
      grown.set(old);
      return grown;
    };
    const floats = (old: Float64Array<ArrayBuffer>) => {
      const grown = new Float64Array(length);
      grown.set(old);
      return grown;
    };
    this.server = integers(this.server);
    this.balancer = integers(this.balancer);
    this.stream = integers(this.stream);
    this.phase = integers(this.phase);
    this.key = integers(this.key);
    this.counter = integers(this.counter);
    this.threads = integers(this.threads);
    this.seconds = floats(this.seconds);
    this.startedAt = floats(this.startedAt);
    this.placedAt = floats(this.placedAt);
  }
}
