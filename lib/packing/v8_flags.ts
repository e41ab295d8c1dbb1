// How V8 is told to use memory, wherever the balancer is started.

/**
 * A young generation of at most 1 MiB. Left alone it grows to 16, because records of sessions survive a
 * while: with 9,800 idle sessions that took 2.2 KB of resident memory for each, and takes 0.75 KB so; CPU
 * per connection stays the same (deno task bench --only memory,connections).
 */
export const V8_FLAGS = "--max-semi-space-size=1";
