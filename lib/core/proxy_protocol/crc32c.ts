// CRC32c (Castagnoli), as RFC 4960 appendix B has it: the checksum that a PROXY header v2 may carry.
//
// `!` on typed-array reads: indices are below the length that the caller gives.

/** The polynomial 0x1edc6f41 with its bits reversed. */
const POLYNOMIAL = 0x82f6_3b78;

const TABLE = new Int32Array(256).map((_, byte) => {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit++) {
    remainder = (remainder & 1) === 0 ? remainder >>> 1 : (remainder >>> 1) ^ POLYNOMIAL;
  }
  return remainder;
});

/**
 * The checksum of the first `length` bytes, as if the four at `blank` were zeros.
 * @returns 0 to 2^32 - 1.
 */
export function crc32c(bytes: Uint8Array, length: number, blank = length): number {
  let crc = ~0;
  for (let i = 0; i < length; i++) {
    const byte = i >= blank && i < blank + 4 ? 0 : bytes[i]!;
    crc = TABLE[(crc ^ byte) & 255]! ^ (crc >>> 8);
  }
  return ~crc >>> 0;
}
