// Waits on conditions, with one deadline for all tests: COMPUTE_LB_TEST_TIMEOUT seconds, else 20.

/** The deadline of every wait in the tests, in milliseconds. */
export const DEADLINE_MS = Number(Deno.env.get("COMPUTE_LB_TEST_TIMEOUT") ?? "20") * 1000;

/**
 * Polls until the condition gives something other than undefined, null and false.
 * @throws {Error} at the deadline, saying what was waited for and what was last seen.
 */
export async function waitFor<T>(
  what: string,
  condition: () => T | Promise<T>,
  deadlineMs: number = DEADLINE_MS,
): Promise<Exclude<NonNullable<T>, false>> {
  const end = performance.now() + deadlineMs;
  let last: unknown;
  for (let pause = 2; performance.now() < end; pause = Math.min(pause * 1.5, 50)) {
    try {
      const value = await condition();
      if (isThere(value)) return value;
      last = value;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
  throw new Error(`Waited ${deadlineMs} ms in vain for ${what}; last seen: ${String(last)}`);
}

function isThere<T>(value: T): value is Exclude<NonNullable<T>, false> {
  return value !== undefined && value !== null && value !== false;
}

/**
 * Puts a deadline on a promise that has none.
 * @throws {Error} at the deadline, saying what was waited for.
 */
export async function within<T>(
  what: string,
  promise: PromiseLike<T>,
  deadlineMs: number = DEADLINE_MS,
): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new Error(`Waited ${deadlineMs} ms in vain for ${what}`)),
    deadlineMs,
  );
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
