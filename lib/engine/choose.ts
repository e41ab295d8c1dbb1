// Which engine runs, and why: the splice engine where its calls exist and are allowed, else the portable
// one. Says it once, in words that the log and `status` can repeat.

import { messageOf } from "../core/values/errors.ts";
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

/**
 * Says why listening sockets that the program was started with cannot be used, and what to do; undefined
 * when they can, or there are none. Deno.listen takes no descriptor. node:net does, but what it then
 * accepts loses bytes: a write that waits fails once a peer that sent nothing has closed its write side
 * (EPIPE, Deno 2.9.6).
 * @param names what systemd calls them, in the same order (LISTEN_FDNAMES).
 */
export function findInheritedObstacle(
  kind: EngineKind,
  descriptors: readonly number[],
  names: readonly string[],
): string | undefined {
  if (descriptors.length === 0 || kind === "splice") return undefined;
  const { name, reason } = chooseEngine(kind);
  if (name === "splice") return undefined;
  const shown = descriptors.map((fd, index) => names[index] ? `${fd} (${names[index]})` : `${fd}`);
  const which = `descriptor${shown.length === 1 ? "" : "s"} ${shown.join(", ")}`;
  const only = `Cannot take over ${which} from systemd: only the splice engine can`;
  const alone = "disable the socket unit, so that the balancer listens by itself";
  return kind === "portable"
    ? `${only}; choose "auto" or "splice", or ${alone}`
    : `${only}, and there is ${reason}; ${alone}`;
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
