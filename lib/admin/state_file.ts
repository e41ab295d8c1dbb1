// The file that keeps the orders of administrators over the end of the process, however it ends: written whole
// beside its place, synced and renamed, before an order is acknowledged. One process has it at a time.

import { type Administration, NO_ADMINISTRATION } from "../core/administration/administration.ts";
import { classify, messageOf } from "../core/values/errors.ts";
import { folderOf } from "./listen.ts";
import { readState, writeState } from "./state_format.ts";

/** What a file with the orders of all backends and many networks takes, many times over. */
const MOST_BYTES = 64 * 2 ** 20;

/** Where orders are kept. */
export interface StateStore extends Disposable {
  /** The file; undefined: nowhere but in memory. */
  readonly path: string | undefined;
  /**
   * Keeps these orders. Resolves when they would outlive a loss of power.
   * @throws {Error} saying why that cannot be; those of before are kept then.
   */
  save(administration: Administration): Promise<void>;
}

/** Keeps nothing. */
export const NO_STORE: StateStore = {
  path: undefined,
  save: () => Promise.resolve(),
  [Symbol.dispose]: () => {},
};

/** A file that was opened, and what stood in it. */
export interface OpenedState {
  readonly file: StateFile;
  readonly administration: Administration;
  /** What is to be said loudly: the file was damaged, and is kept aside. */
  readonly warning?: string;
}

/** Somebody else keeps orders in the file. */
export class StateInUse extends Error {
  override readonly name = "StateInUse";
}

export class StateFile implements StateStore {
  readonly #lock: Deno.FsFile;
  /** What the file holds; undefined: it is not there. */
  #text: string | undefined;

  private constructor(readonly path: string, lock: Deno.FsFile, text: string | undefined) {
    this.#lock = lock;
    this.#text = text;
  }

  /**
   * Takes the file for this process and reads it, if it is there.
   * @param owner who owns what is made, where root is about to become another user.
   * @throws {StateInUse} when another process has it.
   * @throws {Error} when it cannot be read or made.
   */
  static async open(
    path: string,
    owner?: { readonly uid: number; readonly gid: number },
  ): Promise<OpenedState> {
    const lock = await lockFor(path, owner);
    try {
      const bytes = await readIfThere(path);
      const text = bytes && decoded(bytes);
      const read = bytes && (text === undefined ? NOT_UTF_8 : readState(text));
      if (read === undefined || read.ok) {
        const administration = read?.value ?? NO_ADMINISTRATION;
        return { file: new StateFile(path, lock, text), administration };
      }
      const [{ field, message }] = read.faults;
      const aside = `${path}.damaged`;
      await Deno.rename(path, aside);
      const what = field === "" ? message : `${field}: ${message}`;
      const warning = `the orders of administrators in ${path} are lost: ${what}; ` +
        `the file is kept as ${aside}`;
      return {
        file: new StateFile(path, lock, undefined),
        administration: NO_ADMINISTRATION,
        warning,
      };
    } catch (error) {
      lock.close();
      throw new Error(`Cannot read ${path}: ${messageOf(error)}`, { cause: error });
    }
  }

  async save(administration: Administration): Promise<void> {
    const text = writeState(administration);
    const before = this.#text;
    let isRenamed = false;
    try {
      await this.#write(text);
      await Deno.rename(this.#draft, this.path);
      isRenamed = true;
      await syncFolder(folderOf(this.path));
      this.#text = text;
    } catch (error) {
      // What was not acknowledged must not come back.
      if (isRenamed) await this.#takeBack(before);
      throw new Error(`Cannot keep it in ${this.path}: ${messageOf(error)}`, { cause: error });
    }
  }

  /** Whether the file could be written; the reason why not. */
  async trial(): Promise<string | undefined> {
    try {
      await this.#write("");
      await Deno.remove(this.#draft);
      return undefined;
    } catch (error) {
      return describeDenial(error, folderOf(this.path));
    }
  }

  /** Lets the file go for another process. */
  [Symbol.dispose](): void {
    this.#lock.close();
  }

  get #draft(): string {
    return `${this.path}.new`;
  }

  async #write(text: string): Promise<void> {
    // A draft that a killed process has left may be another user's.
    await Deno.remove(this.#draft).catch(() => {});
    using file = await Deno.open(this.#draft, { write: true, createNew: true, mode: 0o600 });
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
    await file.sync();
  }

  async #takeBack(text: string | undefined): Promise<void> {
    try {
      if (text === undefined) await Deno.remove(this.path);
      else {
        await this.#write(text);
        await Deno.rename(this.#draft, this.path);
      }
    } catch {
      // The caller says that the file cannot be written.
    }
  }
}

/** Taken beside the file, which is another one after each change. */
async function lockFor(
  path: string,
  owner: { readonly uid: number; readonly gid: number } | undefined,
): Promise<Deno.FsFile> {
  const at = `${path}.lock`;
  let file: Deno.FsFile;
  try {
    file = await Deno.open(at, { read: true, write: true, create: true, mode: 0o600 });
  } catch (error) {
    const folder = folderOf(path);
    const why = error instanceof Deno.errors.NotFound
      ? `there is no folder ${folder}`
      : await describeDenial(error, folder);
    throw new Error(`Cannot keep orders in ${path}: ${why}`, { cause: error });
  }
  try {
    if (!await file.tryLock(true)) {
      const reader = new TextDecoder();
      const bytes = new Uint8Array(32);
      const length = await file.read(bytes) ?? 0;
      const pid = /^\d+/.exec(reader.decode(bytes.subarray(0, length)))?.[0];
      const who = pid === undefined ? "another balancer" : `the balancer with pid ${pid}`;
      throw new StateInUse(`Cannot keep orders in ${path}: ${who} does`);
    }
    if (owner !== undefined) await Deno.chown(at, owner.uid, owner.gid);
    await file.truncate();
    await file.write(new TextEncoder().encode(`${Deno.pid}\n`));
    return file;
  } catch (error) {
    file.close();
    if (error instanceof StateInUse) throw error;
    throw new Error(`Cannot keep orders in ${path}: ${at}: ${messageOf(error)}`, { cause: error });
  }
}

const NOT_UTF_8 = {
  ok: false,
  faults: [{ field: "", message: "Cannot read it: expected UTF-8" }],
} as const;

/** Undefined when that is no UTF-8. */
function decoded(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

async function readIfThere(path: string): Promise<Uint8Array | undefined> {
  try {
    const { isFile, size } = await Deno.stat(path);
    if (!isFile) throw new Error("it is no regular file");
    if (size > MOST_BYTES) throw new Error(`it has ${size} bytes: is it a state file?`);
    return await Deno.readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function syncFolder(folder: string): Promise<void> {
  using file = await Deno.open(folder, { read: true });
  await file.sync();
}

async function describeDenial(error: unknown, folder: string): Promise<string> {
  if (classify(error) !== "permission_denied") return messageOf(error);
  const owner = await Deno.stat(folder).then(({ uid }) => uid, () => null);
  const us = Deno.uid();
  if (owner === null || us === null || owner === us) return `permission denied in ${folder}`;
  return `${folder} belongs to uid ${owner}, and this process runs as uid ${us}: ` +
    `type chown ${us} ${folder}`;
}
