// What an ssh client reads instead of "Connection closed": an identification line and SSH_MSG_DISCONNECT, both
// before any key exchange, and so in clear (RFC 4253). Clients show its text, and close.

/** How the balancer names itself. A version has no "-" in it (RFC 4253 section 4.2). */
export const SSH_IDENTIFICATION = "SSH-2.0-compute_lb";

/** Reason codes of RFC 4253 section 11.1. */
export const BY_APPLICATION = 11;
export const TOO_MANY_CONNECTIONS = 12;

const SSH_MSG_DISCONNECT = 1;
/** Without a cipher, a packet's length is a multiple of this (RFC 4253 section 6). */
const BLOCK_BYTES = 8;
const LEAST_PADDING = 4;
/** packet_length and padding_length. */
const HEAD_BYTES = 5;
/** The message's number and the reason code, the lengths of description and language tag. */
const FIXED_BYTES = 1 + 4 + 4 + 4;

/**
 * Makes all bytes that the client is sent.
 * @param text the description, in one line; the client shows it. OpenSSH cuts it after 400 bytes.
 * @param code the reason code.
 */
export function sshRefusal(text: string, code: number): Uint8Array<ArrayBuffer> {
  const line = new TextEncoder().encode(`${SSH_IDENTIFICATION}\r\n`);
  const description = new TextEncoder().encode(text);
  const unpadded = HEAD_BYTES + FIXED_BYTES + description.length;
  const padding = LEAST_PADDING +
    (BLOCK_BYTES - (unpadded + LEAST_PADDING) % BLOCK_BYTES) % BLOCK_BYTES;
  const bytes = new Uint8Array(line.length + unpadded + padding);
  bytes.set(line);
  const packet = new DataView(bytes.buffer, line.length);
  packet.setUint32(0, unpadded + padding - 4);
  packet.setUint8(4, padding);
  packet.setUint8(5, SSH_MSG_DISCONNECT);
  packet.setUint32(6, code);
  packet.setUint32(10, description.length);
  bytes.set(description, line.length + 14);
  // The language tag is empty. Padding is random where it is encrypted; here zeros tell nobody anything.
  return bytes;
}
