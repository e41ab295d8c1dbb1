// The clients that wait because there is no descriptor or no memory for their backend's socket. While
// there are any, nobody is accepted: new clients must not take up what those need who could go on.

export class DescriptorWaits {
  #count = 0;
  #over = Promise.withResolvers<void>();

  /** Resolves when nobody waits any more; undefined when nobody does. */
  get over(): Promise<void> | undefined {
    return this.#count === 0 ? undefined : this.#over.promise;
  }

  begin(): void {
    this.#count++;
  }

  end(): void {
    if (--this.#count > 0) return;
    this.#over.resolve();
    this.#over = Promise.withResolvers();
  }
}
