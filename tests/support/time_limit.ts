// Preloaded before every test file: a test that hangs fails by its name, instead of holding up the run.

/** Several times what the longest test takes on a busy machine, in milliseconds. */
const LIMIT_MS = 300_000;

const limitedTest = new Proxy(Deno.test, {
  apply: (register, self, parts: unknown[]) => Reflect.apply(register, self, parts.map(limited)),
});
Object.defineProperty(Deno, "test", { value: limitedTest });

/** Puts the limit on a test's function, alone or within its definition; gives back all else. */
function limited(part: unknown): unknown {
  if (typeof part === "function") {
    // Its name is the test's name where no other is given.
    return Object.defineProperty(
      (context: unknown) => ended(() => Reflect.apply(part, undefined, [context])),
      "name",
      { value: part.name },
    );
  }
  if (typeof part !== "object" || part === null || !("fn" in part)) return part;
  return { ...part, fn: limited(part.fn) };
}

async function ended(run: () => unknown): Promise<void> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new Error(`The test has not ended within ${LIMIT_MS / 1000} s`)),
    LIMIT_MS,
  );
  try {
    await Promise.race([run(), late]);
  } finally {
    clearTimeout(timer);
  }
}
