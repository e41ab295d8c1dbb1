// Compiles the frontends' lists of networks, with the files that they name.

import type { Config, FrontendConfig } from "../config/config.ts";
import type { ConfigPath } from "../config/config_error.ts";
import { compileAccess } from "../core/admission/access_list.ts";
import { parseNetworkList } from "../core/admission/network_list.ts";
import type { NetworkSet } from "../core/location/network_set.ts";
import { counted } from "../core/values/counted.ts";
import { messageOf } from "../core/values/errors.ts";
import type { Network } from "../core/values/network.ts";
import { readRegularFile } from "../asking/regular_file.ts";

/** Who may not come in, by frontend; none for one that lets everybody in. */
export type Access = ReadonlyMap<string, NetworkSet>;

/** What is wrong with what a key names. */
export interface NamedFault {
  /** The key. */
  readonly at: ConfigPath;
  readonly message: string;
  /** Where in another file; absent: the fault is the key's. */
  readonly place?: {
    readonly file: string;
    readonly line: number;
    readonly column: number;
    readonly excerpt: string;
  };
}

export interface CompiledAccess {
  readonly access: Access;
  readonly faults: readonly NamedFault[];
  /** What is odd, and no reason to stop. */
  readonly warnings: readonly string[];
}

/** Half a million networks, which compile in three seconds. */
const MOST_BYTES = 8 * 1024 ** 2;
const LISTS = ["allow", "deny"] as const;

/** Compiles every frontend's lists; reads each file once. */
export async function compileAccessLists({ frontends }: Config): Promise<CompiledAccess> {
  const access = new Map<string, NetworkSet>();
  const warnings: string[] = [];
  const files = new NetworkFiles();
  for (const frontend of frontends) {
    const [allow = [], deny = []] = await Promise.all(
      LISTS.map((list) => networksOf(frontend, list, files)),
    );
    if (frontend.allow.length > 0 && allow.length === 0) {
      warnings.push(
        `frontends.${frontend.name}.allow: nobody may come in: its files hold no network`,
      );
    }
    // An allow list whose files are empty is one that allows nobody: a file that was cut off must open nothing.
    const denied = compileAccess({ deny, ...(frontend.allow.length > 0 ? { allow } : {}) });
    if (denied !== undefined) access.set(frontend.name, denied);
  }
  return { access, faults: files.faults, warnings };
}

async function networksOf(
  frontend: FrontendConfig,
  list: typeof LISTS[number],
  files: NetworkFiles,
): Promise<Network[]> {
  const parts = await Promise.all(
    frontend[list].map((entry, index) =>
      "file" in entry ? files.read(entry.file, ["frontends", frontend.name, list, index]) : [entry]
    ),
  );
  return parts.flat();
}

/** Files that were read, and what is wrong with them, for the first key that names each. */
class NetworkFiles {
  readonly faults: NamedFault[] = [];
  readonly #read = new Map<string, Promise<readonly Network[]>>();

  read(path: string, at: ConfigPath): Promise<readonly Network[]> {
    let networks = this.#read.get(path);
    if (networks === undefined) this.#read.set(path, networks = this.#parse(path, at));
    return networks;
  }

  async #parse(path: string, at: ConfigPath): Promise<readonly Network[]> {
    const cannot = (why: string) => `Cannot read "${path}" as a list of networks: ${why}`;
    let bytes: Uint8Array<ArrayBuffer>;
    try {
      bytes = await readRegularFile(path, MOST_BYTES, "a list of networks");
    } catch (error) {
      const isMissing = error instanceof Deno.errors.NotFound;
      const message = cannot(isMissing ? "there is no such file" : messageOf(error));
      this.faults.push({ at, message });
      return [];
    }
    let text: string;
    try {
      text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    } catch {
      const line = firstUndecodable(bytes);
      const place = { file: path, line, column: 1, excerpt: "" };
      this.faults.push({ at, message: cannot("expected UTF-8"), place });
      return [];
    }
    const { networks, faults, moreFaults } = parseNetworkList(text);
    for (const { message, ...place } of faults) {
      this.faults.push({ at, message, place: { file: path, ...place } });
    }
    if (moreFaults > 0) {
      this.faults.push({
        at,
        message: cannot(`${counted(moreFaults, "more line")} without a network`),
      });
    }
    return networks;
  }
}

/** The number of the first line that is no UTF-8. */
function firstUndecodable(bytes: Uint8Array<ArrayBuffer>): number {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const newline = 10;
  let at = 0;
  for (let line = 1;; line++) {
    const end = bytes.indexOf(newline, at);
    try {
      decoder.decode(bytes.subarray(at, end < 0 ? bytes.length : end));
    } catch {
      return line;
    }
    if (end < 0) return line;
    at = end + 1;
  }
}
