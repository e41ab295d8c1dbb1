// PROXY headers as a test's own proxy would send them.

/** The bytes of a text, one for each character. */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
