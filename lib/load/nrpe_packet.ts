// NRPE packets as bytes, both directions, versions 2, 3 and 4. Pure: no socket. Nothing here throws,
// whatever bytes come; what is not a packet is a reason.
//
//   v2       u16 version | u16 type | u32 crc | i16 result | 1024 bytes of text | 2 of padding
//   v3, v4   u16 version | u16 type | u32 crc | i16 result | u16 0 | u32 length | text | padding
//
// Big-endian; the text ends at its first NUL; the CRC-32 (IEEE) is that of the whole packet with zeros
// in its place. v3 has 3 bytes of padding, v4 none (nrpe 4.1.0, include/common.h).

import { failure, type Result, success } from "../core/values/result.ts";

export type NrpeVersion = 2 | 3 | 4;

export interface NrpePacket {
  readonly version: NrpeVersion;
  readonly kind: "query" | "response";
  /** 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN in responses; anything in queries. */
  readonly resultCode: number;
  /** A query's command with its arguments after "!"; a response's output. */
  readonly text: string;
}

/** The longest command that fits into a query of every version, in bytes. */
export const MAX_COMMAND_BYTES = 1019;

/** The longest packet that is read; nrpe itself answers with at most 64 KiB of output. */
export const MAX_PACKET_BYTES = 64 * 1024;

const V2_BYTES = 1036;
const V2_TEXT_AT = 10;
const V2_TEXT_BYTES = 1024;
const LONG_HEADER_BYTES = 16;
const V3_PADDING_BYTES = 3;
/** What check_nrpe sends; servers are known to take it. */
const QUERY_TEXT_BYTES = 1020;
const TYPE_QUERY = 1;
const TYPE_RESPONSE = 2;

const CRC_TABLE = makeCrcTable();

function makeCrcTable(): Uint32Array {
  const table = new Uint32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0);
    table[byte] = value;
  }
  return table;
}

/** The CRC-32 of a packet, counted as if its own crc field (bytes 4 to 7) held zeros. */
function packetCrc(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (let at = 0; at < bytes.length; at++) {
    // Both indexes are in range by construction.
    const byte = at >= 4 && at < 8 ? 0 : bytes[at]!;
    crc = (crc >>> 8) ^ CRC_TABLE[(crc ^ byte) & 0xff]!;
  }
  return ~crc >>> 0;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Makes a query. Rejects commands that are empty, hold a NUL or exceed MAX_COMMAND_BYTES. */
export function encodeQuery(version: 2 | 4, command: string): Result<Uint8Array<ArrayBuffer>> {
  const text = new TextEncoder().encode(command);
  if (text.length === 0 || text.length > MAX_COMMAND_BYTES || text.includes(0)) {
    return failure(
      `Cannot send "${command.slice(0, 80)}" as an NRPE command: ` +
        `expected 1 to ${MAX_COMMAND_BYTES} bytes without NUL`,
    );
  }
  return success(encode(version, TYPE_QUERY, 0, text, QUERY_TEXT_BYTES));
}

/**
 * Makes the response to a query of that version. Output that does not fit is cut, as nrpe does: v2 has
 * room for 1023 bytes, the others for what MAX_PACKET_BYTES allows.
 */
export function encodeResponse(
  version: NrpeVersion,
  resultCode: number,
  output: string,
): Uint8Array<ArrayBuffer> {
  const most = version === 2
    ? V2_TEXT_BYTES - 1
    : MAX_PACKET_BYTES - LONG_HEADER_BYTES - V3_PADDING_BYTES - 1;
  const text = new TextEncoder().encode(output).slice(0, most);
  return encode(version, TYPE_RESPONSE, resultCode, text, text.length + 1);
}

function encode(
  version: NrpeVersion,
  type: number,
  resultCode: number,
  text: Uint8Array,
  textRoom: number,
): Uint8Array<ArrayBuffer> {
  const padding = version === 3 ? V3_PADDING_BYTES : 0;
  const bytes = new Uint8Array(version === 2 ? V2_BYTES : LONG_HEADER_BYTES + textRoom + padding);
  const view = viewOf(bytes);
  view.setUint16(0, version);
  view.setUint16(2, type);
  view.setInt16(8, resultCode);
  if (version !== 2) view.setUint32(12, textRoom);
  bytes.set(text, version === 2 ? V2_TEXT_AT : LONG_HEADER_BYTES);
  view.setUint32(4, packetCrc(bytes));
  return bytes;
}

/**
 * Tells how long a packet will be from its first bytes; undefined while they are too few to tell.
 * Fails as soon as they cannot become a packet, or one longer than MAX_PACKET_BYTES.
 */
export function expectedLength(start: Uint8Array): Result<number | undefined> {
  if (start.length < 2) return success(undefined);
  const view = viewOf(start);
  const version = view.getUint16(0);
  if (version === 2) return success(V2_BYTES);
  if (version !== 3 && version !== 4) {
    return failure(`not an NRPE packet: version ${version}, expected 2, 3 or 4`);
  }
  if (start.length < LONG_HEADER_BYTES) return success(undefined);
  const total = LONG_HEADER_BYTES + view.getUint32(12) + (version === 3 ? V3_PADDING_BYTES : 0);
  if (total > MAX_PACKET_BYTES) {
    return failure(`packet claims ${total} bytes, expected at most ${MAX_PACKET_BYTES}`);
  }
  return success(total);
}

/** Reads a query, for those who answer. Fails on anything but one whole, undamaged query. */
export function decodeQuery(bytes: Uint8Array): Result<NrpePacket> {
  return decode(bytes, "query");
}

/** Reads a response. Fails on anything but one whole, undamaged response. */
export function decodeResponse(bytes: Uint8Array): Result<NrpePacket> {
  return decode(bytes, "response");
}

function decode(bytes: Uint8Array, kind: "query" | "response"): Result<NrpePacket> {
  const length = expectedLength(bytes);
  if (!length.ok) return length;
  if (length.value === undefined) return failure(`cut short: ${bytes.length} bytes`);
  if (bytes.length < length.value) {
    return failure(`cut short: ${bytes.length} of ${length.value} bytes`);
  }
  if (bytes.length > length.value) {
    return failure(`${bytes.length - length.value} bytes too many after ${length.value}`);
  }
  const view = viewOf(bytes);
  const type = view.getUint16(2);
  if (type !== (kind === "query" ? TYPE_QUERY : TYPE_RESPONSE)) {
    return failure(`packet type ${type}, expected a ${kind}`);
  }
  if (view.getUint32(4) !== packetCrc(bytes)) return failure("CRC mismatch");
  const version = view.getUint16(0) === 2 ? 2 : view.getUint16(0) === 3 ? 3 : 4;
  const [from, room] = version === 2
    ? [V2_TEXT_AT, V2_TEXT_BYTES]
    : [LONG_HEADER_BYTES, view.getUint32(12)];
  const text = bytes.subarray(from, from + room);
  const end = text.indexOf(0);
  return success({
    version,
    kind,
    resultCode: view.getInt16(8),
    text: new TextDecoder().decode(end === -1 ? text : text.subarray(0, end)),
  });
}
