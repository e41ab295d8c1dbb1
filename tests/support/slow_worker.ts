// The splice engine's worker on a machine where its modules take long to load: a cold disk, or CPUs that
// are busy with something else.

/** How long, in milliseconds. */
const LOADING_MS = 3000;

await new Promise((loaded) => setTimeout(loaded, LOADING_MS));
await import("../../lib/engine/splice/worker.ts");
