import { assert, assertEquals } from "@std/assert";
import * as fc from "fast-check";
import {
  BY_APPLICATION,
  SSH_IDENTIFICATION,
  sshRefusal,
  TOO_MANY_CONNECTIONS,
} from "../../../../lib/core/serving/ssh_refusal.ts";

/** Reads what RFC 4253 says of an identification line and an unencrypted packet without a MAC. */
function readRefusal(bytes: Uint8Array<ArrayBuffer>) {
  const end = bytes.indexOf(10);
  const line = new TextDecoder().decode(bytes.subarray(0, end + 1));
  const packet = new DataView(bytes.buffer, end + 1);
  const length = packet.getUint32(0);
  const padding = packet.getUint8(4);
  const payload = bytes.subarray(end + 1 + 5, end + 1 + 4 + length - padding);
  const message = new DataView(payload.buffer, payload.byteOffset, payload.length);
  const described = message.getUint32(5);
  return {
    line,
    packetBytes: packet.byteLength,
    length,
    padding,
    type: message.getUint8(0),
    code: message.getUint32(1),
    text: new TextDecoder().decode(payload.subarray(9, 9 + described)),
    languageLength: message.getUint32(9 + described),
    payloadBytes: payload.length,
  };
}

Deno.test("sshRefusal() makes the bytes of RFC 4253", () => {
  const expected = [
    ...new TextEncoder().encode("SSH-2.0-compute_lb\r\n"),
    // packet_length, padding_length
    ...[0, 0, 0, 28, 9],
    // SSH_MSG_DISCONNECT, reason code, "full!" with its length, no language
    ...[1, 0, 0, 0, 12, 0, 0, 0, 5, 102, 117, 108, 108, 33, 0, 0, 0, 0],
    ...[0, 0, 0, 0, 0, 0, 0, 0, 0],
  ];
  assertEquals([...sshRefusal("full!", TOO_MANY_CONNECTIONS)], expected);
});

Deno.test("an ssh refusal of any text is a whole packet with the right padding", () => {
  fc.assert(fc.property(fc.string({ unit: "grapheme", maxLength: 400 }), (text) => {
    const read = readRefusal(sshRefusal(text, BY_APPLICATION));
    assertEquals(read.line, `${SSH_IDENTIFICATION}\r\n`);
    assertEquals([read.type, read.code, read.text, read.languageLength], [1, 11, text, 0]);
    assertEquals(read.length, read.packetBytes - 4);
    assertEquals(read.payloadBytes, 13 + new TextEncoder().encode(text).length);
    // At least 16 bytes, a multiple of 8, with 4 to 11 bytes of padding: no more than are needed.
    assert(read.packetBytes >= 16 && read.packetBytes % 8 === 0);
    assert(read.padding >= 4 && read.padding < 12, `${read.padding}`);
  }));
});

Deno.test("the balancer's identification keeps to RFC 4253 section 4.2", () => {
  assert(/^SSH-2\.0-[!-,.-~]+$/.test(SSH_IDENTIFICATION));
  assert(SSH_IDENTIFICATION.length + 2 <= 255);
});
