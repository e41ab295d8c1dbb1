// Repeatable chance for simulations: a small seeded generator and the distributions that workloads
// are made of. The same seed gives the same run on every machine.

/** Bob Jenkins' small fast counting generator sfc32: 128 bits of state, passes PractRand. */
export class Chance {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** @param seed any integer. @param stream tells apart generators that share a seed. */
  constructor(seed: number, stream = 0) {
    this.#a = mix32(seed);
    this.#b = mix32(stream + 0x9e37_79b9);
    this.#c = mix32(seed ^ 0x85eb_ca6b);
    for (let i = 0; i < 12; i++) this.next();
  }

  /** Uniform in [0, 1). */
  next(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((((this.#c << 21) | (this.#c >>> 11)) | 0) + sum) | 0;
    return (sum >>> 0) / 0x1_0000_0000;
  }

  /** An integer in [0, below). */
  below(below: number): number {
    return Math.floor(this.next() * below);
  }

  exponential(mean: number): number {
    return exponential(this.next(), mean);
  }

  boundedPareto(shape: number, low: number, high: number): number {
    return boundedPareto(this.next(), shape, low, high);
  }
}

/** Turns a uniform number into an exponential one of that mean. */
export function exponential(uniform: number, mean: number): number {
  return -mean * Math.log1p(-uniform);
}

/**
 * Turns a uniform number into a Pareto one cut at both ends: lifetimes of processes follow it with
 * a shape near 1 (Harchol-Balter and Downey 1997).
 */
export function boundedPareto(uniform: number, shape: number, low: number, high: number): number {
  const ratio = Math.pow(low / high, shape);
  return low * Math.pow(1 - uniform * (1 - ratio), -1 / shape);
}

/** Mean of {@linkcode boundedPareto}. */
export function boundedParetoMean(shape: number, low: number, high: number): number {
  const mass = 1 - Math.pow(low / high, shape);
  if (shape === 1) return low * Math.log(high / low) / mass;
  return low / mass * shape / (shape - 1) * (1 - Math.pow(low / high, shape - 1));
}

/** Scrambles 32 bits (Murmur3's finalizer), so that neighbouring seeds have nothing in common. */
export function mix32(value: number): number {
  let bits = value | 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85eb_ca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2_ae35);
  return (bits ^ (bits >>> 16)) | 0;
}
