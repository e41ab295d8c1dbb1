// Which engine runs, and why: the splice engine where its calls exist and are allowed, else the portable
// one. Says it once, in words that the log and `status` can repeat.

import { messageOf } from "../core/errors.ts";
import type { Engine } from "./engine.ts";
import { openLibc } from "./splice/libc.ts";

/** What lb.conf can ask for. */
export type EngineKind = "auto" | Engine["name"];

export interface EngineChoice {
  readonly name: Engine["name"];
  /** Why this one and no other. */
  readonly reason: string;
}

/** Where the splice engine runs: its struct layouts are known for these. */
const ARCHITECTURES: readonly string[] = ["x86_64", "aarch64"];

/**
 * Chooses an engine for this machine and this program's permissions.
 * @throws {Error} when the splice engine is asked for by name and cannot run here.
 */
export function chooseEngine(kind: EngineKind): EngineChoice {
  if (kind === "portable") return { name: "portable", reason: "asked for by name" };
  const obstacle = findObstacle();
  if (obstacle === undefined) {
    const reason = kind === "splice" ? "asked for by name" : "Linux with glibc, FFI permitted";
    return { name: "splice", reason };
  }
  if (kind === "splice") throw new Error(`Cannot use the splice engine: ${obstacle}`);
  return { name: "portable", reason: `no splice engine: ${obstacle}` };
}

/** What keeps the splice engine from running here; undefined when nothing does. */
function findObstacle(): string | undefined {
  if (Deno.build.os !== "linux") return `it needs Linux, this is ${Deno.build.os}`;
  if (!ARCHITECTURES.includes(Deno.build.arch)) {
    return `it needs ${ARCHITECTURES.join(" or ")}, this is ${Deno.build.arch}`;
  }
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") {
    return "FFI is not permitted (--allow-ffi)";
  }
  try {
    openLibc().close();
    return undefined;
  } catch (error) {
    return `glibc cannot be opened (${messageOf(error)})`;
  }
}
