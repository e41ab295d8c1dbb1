// A file of lines that is appended to and may be rotated away: never ends in half a line, not even when
// the disk was full in between or the program was killed.

import type { ByteSink } from "./batch_writer.ts";

const NEWLINE = 10;
/** A line is looked for so far from the end of a file that was there before. */
const TAIL_BYTES = 4 * 1024 * 1024;

export class AppendFile implements ByteSink, Disposable {
  readonly #file: Deno.FsFile;
  readonly #isRegular: boolean;
  /** Where the next byte goes, and where the last whole line ends. */
  #at: number;
  #end: number;

  private constructor(readonly path: string, file: Deno.FsFile, isRegular: boolean, size: number) {
    this.#file = file;
    this.#isRegular = isRegular;
    this.#at = size;
    this.#end = size;
  }

  /**
   * Opens a file, made readable for its owner and group when it is not there. Half a line at its end is
   * cut off.
   * @param beginning how the first line begins; a file that begins otherwise is somebody else's.
   * @throws {Error} when it cannot be opened for writing, is none of ours, or no file.
   */
  static async open(path: string, beginning: string): Promise<AppendFile> {
    await expectFile(path);
    const file = await Deno.open(path, { append: true, read: true, create: true, mode: 0o640 });
    try {
      const { isFile, size } = await file.stat();
      const opened = new AppendFile(path, file, isFile, isFile ? size : 0);
      if (isFile && size > 0) await opened.#mend(beginning);
      return opened;
    } catch (error) {
      file.close();
      throw error;
    }
  }

  /**
   * Tells whether {@linkcode open} would open a file, and leaves everything as it is.
   * @throws {Error} as that does.
   */
  static async tryOpening(path: string, beginning: string): Promise<void> {
    await expectFile(path);
    let file: Deno.FsFile;
    try {
      file = await Deno.open(path, { append: true, read: true });
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      (await Deno.open(path, { write: true, createNew: true })).close();
      return await Deno.remove(path);
    }
    using opened = new AppendFile(path, file, false, 0);
    const { isFile, size } = await file.stat();
    if (isFile && size > 0) await opened.#expectBeginning(beginning);
  }

  /** Whether a path still leads to this very file. */
  async isAt(path: string): Promise<boolean> {
    try {
      const [ours, theirs] = [await this.#file.stat(), await Deno.stat(path)];
      return ours.ino === theirs.ino && ours.dev === theirs.dev;
    } catch {
      return false;
    }
  }

  /** @throws {Error} when not all could be written; then the file ends at the last whole line before. */
  async write(bytes: Uint8Array): Promise<number> {
    try {
      const count = await this.#file.write(bytes);
      const newline = bytes.subarray(0, count).lastIndexOf(NEWLINE);
      if (newline >= 0) this.#end = this.#at + newline + 1;
      this.#at += count;
      return count;
    } catch (error) {
      if (this.#isRegular && this.#at > this.#end) {
        await this.#file.truncate(this.#end);
        this.#at = this.#end;
      }
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }

  async #expectBeginning(beginning: string): Promise<void> {
    const head = new TextEncoder().encode(beginning);
    const found = await this.#read(0, head.length);
    if (!head.every((byte, index) => found[index] === byte)) {
      throw new Error("it is there already and no recording");
    }
  }

  async #mend(beginning: string): Promise<void> {
    await this.#expectBeginning(beginning);
    const from = Math.max(0, this.#at - TAIL_BYTES);
    const newline = (await this.#read(from, this.#at - from)).lastIndexOf(NEWLINE);
    const end = newline < 0 ? from : from + newline + 1;
    if (end < this.#at) await this.#file.truncate(end);
    this.#at = this.#end = end;
  }

  async #read(from: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    await this.#file.seek(from, Deno.SeekMode.Start);
    let at = 0;
    while (at < length) {
      const count = await this.#file.read(bytes.subarray(at));
      if (count === null) break;
      at += count;
    }
    return bytes.subarray(0, at);
  }
}

/** To open a pipe may take for ever. */
async function expectFile(path: string): Promise<void> {
  try {
    const { isFile, isCharDevice } = await Deno.stat(path);
    if (!isFile && isCharDevice !== true) throw new Error("it is no regular file");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
