// Entry point. Inside a worker this same file is loaded again (a separate worker file would not
// survive bundling), so the first question is which of the two we are.

if ("WorkerGlobalScope" in globalThis) {
  await import("./lib/engine/splice/worker.ts");
} else {
  // Before anything that takes time: until then, SIGUSR1 and SIGUSR2 do what they do by themselves.
  const { ignoreUserSignals } = await import("./lib/host/signals.ts");
  ignoreUserSignals();
  const { main } = await import("./lib/cli/main.ts");
  Deno.exit(await main(Deno.args));
}
