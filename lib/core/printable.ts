// Foreign text as logs and terminals may show it: what would start a new line, move the cursor, turn the
// direction of writing or not be seen at all is spelled out.

/**
 * Controls (C0, DEL, C1), separators of lines, lone surrogates, and format characters: those of direction
 * and of no width among them.
 */
const NOT_SHOWN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** Writes text with `\n`, `\t`, `\r`, `\u202e`, `\u{e0001}` in place of what a reader would not see as it is. */
export function printable(text: string): string {
  return text.replace(NOT_SHOWN, escapeCharacter);
}

function escapeCharacter(character: string): string {
  if (character === "\n") return "\\n";
  if (character === "\t") return "\\t";
  if (character === "\r") return "\\r";
  const digits = (character.codePointAt(0) ?? 0).toString(16);
  return digits.length > 4 ? `\\u{${digits}}` : `\\u${digits.padStart(4, "0")}`;
}
