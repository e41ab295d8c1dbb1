// The splice engine's worker on a system that grows no pipe, as when a user's pipes hold
// fs.pipe-user-pages-soft already.

const { dlopen } = Deno;

function dlopenWithoutPipes(...[path, symbols]: Parameters<typeof dlopen>) {
  const library = dlopen(path, symbols);
  const refuse = () => -1;
  return { symbols: { ...library.symbols, fcntl: refuse }, close: () => library.close() };
}

Object.defineProperty(Deno, "dlopen", { value: dlopenWithoutPipes });
await import("../../lib/engine/splice/worker.ts");
