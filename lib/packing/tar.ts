// Writes tar archives whose bytes depend on names, modes and contents alone: no time, no owner.
// Only what the self-extracting file needs: plain files in the archive's root.

/** One file of an archive. */
export interface TarFile {
  /** ASCII, 1 to 100 characters, no slash. */
  readonly name: string;
  /** Permission bits, such as 0o755. */
  readonly mode: number;
  readonly content: Uint8Array;
}

const BLOCK_BYTES = 512;
/** The size field has eleven octal digits. */
const MAX_CONTENT_BYTES = 8 ** 11 - 1;

/**
 * Packs files in the order of their names, in the format "ustar" (POSIX.1-1988, pax(1)), with
 * time 0 and owner 0.
 * @throws {RangeError} for a name or a size that the format cannot hold, or a name given twice.
 */
export function packTar(files: readonly TarFile[]): Uint8Array<ArrayBuffer> {
  const sorted = files.toSorted((a, b) => a.name < b.name ? -1 : 1);
  for (const [index, file] of sorted.entries()) {
    if (!/^[!-.0-~]{1,100}$/.test(file.name)) {
      throw new RangeError(`Cannot pack "${file.name}": expected 1 to 100 ASCII characters`);
    }
    if (sorted[index + 1]?.name === file.name) {
      throw new RangeError(`Cannot pack "${file.name}": it is given twice`);
    }
    if (file.content.length > MAX_CONTENT_BYTES) {
      throw new RangeError(`Cannot pack "${file.name}": expected at most 8 GiB`);
    }
  }
  const padded = (length: number) => Math.ceil(length / BLOCK_BYTES) * BLOCK_BYTES;
  const total = sorted.reduce((sum, file) => sum + BLOCK_BYTES + padded(file.content.length), 0);
  // Two empty blocks end an archive.
  const archive = new Uint8Array(total + 2 * BLOCK_BYTES);
  let offset = 0;
  for (const file of sorted) {
    archive.set(header(file), offset);
    archive.set(file.content, offset + BLOCK_BYTES);
    offset += BLOCK_BYTES + padded(file.content.length);
  }
  return archive;
}

function header(file: TarFile): Uint8Array {
  const block = new Uint8Array(BLOCK_BYTES);
  const encoder = new TextEncoder();
  const put = (text: string, offset: number) => block.set(encoder.encode(text), offset);
  const octal = (value: number, digits: number) => value.toString(8).padStart(digits, "0");
  put(file.name, 0);
  put(octal(file.mode, 7), 100);
  put(octal(0, 7), 108); // uid
  put(octal(0, 7), 116); // gid
  put(octal(file.content.length, 11), 124);
  put(octal(0, 11), 136); // mtime
  put("        ", 148); // the checksum counts itself as spaces
  put("0", 156); // a plain file
  put("ustar\x0000", 257);
  put(octal(0, 7), 329); // device numbers
  put(octal(0, 7), 337);
  put(`${octal(block.reduce((sum, byte) => sum + byte, 0), 6)}\0 `, 148);
  return block;
}
