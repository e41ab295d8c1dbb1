// This machine's files, for the agent. What is missing or forbidden is a value, not a throw.

import type { Machine } from "./figures.ts";

/** The machine that this runs on. */
export const THIS_MACHINE: Machine = {
  readText: (path) => Deno.readTextFile(path).catch(() => undefined),
  readBytes: (path) => Deno.readFile(path).catch(() => undefined),
  list: async (path) => {
    try {
      return await Array.fromAsync(Deno.readDir(path), ({ name }) => name);
    } catch {
      return undefined;
    }
  },
  exists: (path) => Deno.lstat(path).then(() => true, () => false),
  arch: Deno.build.arch,
};
