// The discovery source "file": lines or a JSON array in a file, which is read again whenever it has changed. It
// is looked at again and again: that holds for editors, renames and network file systems alike, and for a file
// that is not there yet.

import { oneLine } from "../asking/reason.ts";
import { readRegularFile } from "../asking/regular_file.ts";
import { formatSize } from "../core/values/size.ts";
import { messageOf } from "../core/values/errors.ts";
import { failure, type Result, success } from "../core/values/result.ts";
import { needed, section } from "../schema/declarations.ts";
import { absolutePath } from "../schema/values.ts";
import {
  type DiscoveredList,
  type DiscoverySource,
  discoverySourceKind,
  type DiscoverySurroundings,
  wrongArguments,
} from "./discovery_source.ts";
import { parseText } from "./entries.ts";

/** A change is taken in when the file is the same twice, so that nobody reads what is half written. */
const LOOK_MS = 250;
const MOST_BYTES = 1_048_576;

const fileSection = section({ doc: "backends in a file, with source: file" }, {
  path: needed(absolutePath, {
    required: "",
    example: "/etc/compute-lb/backends",
    doc: "a line for each: host[:port][=cores] [weight=W] [max_connections=N]; or a JSON array",
  }),
});

class FileSource implements DiscoverySource {
  readonly #path: string;
  readonly #surroundings: DiscoverySurroundings;
  /** Why there was no list the last time. */
  #trouble: string | undefined;
  #hasSpoken = false;

  constructor(path: string, surroundings: DiscoverySurroundings) {
    this.#path = path;
    this.#surroundings = surroundings;
  }

  async *watch(signal: AbortSignal): AsyncGenerator<DiscoveredList> {
    let seen = "";
    let taken = "";
    while (!signal.aborted) {
      const found = await stateOf(this.#path);
      const state = found.ok ? found.value : "";
      // At the start nobody waits for what may still be written.
      if (!found.ok || (state !== taken && (state === seen || !this.#hasSpoken))) {
        const list = found.ok ? await this.#read(state) : found;
        if (list === undefined) {
          // It changes while it is read.
        } else if (list.ok) {
          taken = this.#hasSpoken ? state : "";
          this.#hasSpoken = true;
          this.#trouble = undefined;
          yield list.value;
        } else if (list.message !== this.#trouble) {
          throw new Error(this.#trouble = list.message);
        }
      }
      seen = state;
      await this.#surroundings.clock.sleep(LOOK_MS, signal).catch(() => {});
    }
  }

  /** Reads it; undefined: it has changed meanwhile. */
  async #read(state: string): Promise<Result<DiscoveredList> | undefined> {
    let text: string;
    try {
      // What stands there now need not be what was looked at.
      const bytes = await readRegularFile(this.#path, MOST_BYTES, "a list of backends");
      text = new TextDecoder().decode(bytes);
    } catch (error) {
      return failure(oneLine(messageOf(error)));
    }
    const after = await stateOf(this.#path);
    return after.ok && after.value !== state ? undefined : parseText(text);
  }
}

/** What is another when the file has changed; or why it cannot be read. */
async function stateOf(path: string): Promise<Result<string>> {
  try {
    const { isFile, ino, size, mtime, ctime } = await Deno.stat(path);
    // To open a pipe that nobody writes to would take for ever.
    if (!isFile) return failure(`Cannot read "${path}": it is no regular file`);
    if (size > MOST_BYTES) {
      return failure(`Cannot read "${path}": it has more than ${formatSize(MOST_BYTES)}`);
    }
    return success([ino, size, mtime?.getTime(), ctime?.getTime()].join(" "));
  } catch (error) {
    const why = error instanceof Deno.errors.NotFound
      ? "there is no such file"
      : oneLine(messageOf(error));
    return failure(`Cannot read "${path}": ${why}`);
  }
}

export const file = discoverySourceKind("file", fileSection, {
  doc: "a file, read again when it changes",
  form: "file:/PATH",
  fromText: (text) => text.startsWith("file:") ? { path: text.slice("file:".length) } : undefined,
  usage: "PATH",
  fromArguments: (args) => {
    const [path] = args;
    if (path === undefined || args.length > 1) return wrongArguments(args, "the path of a file");
    return success({ path: path.startsWith("/") ? path : `${Deno.cwd()}/${path}` });
  },
}, ({ path }, surroundings) => new FileSource(path, surroundings));
