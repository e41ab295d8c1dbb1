// Foreign text as logs and terminals may show it: what would start a new line, move the cursor, turn the
// direction of writing or not be seen at all is spelled out.

/**
 * Controls (C0, DEL, C1), separators of lines, lone surrogates, and format characters: those of direction
 * and of no width among them.
 */
const NOT_SHOWN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/**
 * Writes text with `\n`, `\t`, `\r`, `\u202e` in place of what a reader would not see as it is. JSON stays JSON,
 * and means the same.
 */
export function printable(text: string): string {
  return text.replace(NOT_SHOWN, escapeCharacter);
}

function escapeCharacter(character: string): string {
  if (character === "\n") return "\\n";
  if (character === "\t") return "\\t";
  if (character === "\r") return "\\r";
  let escape = "";
  for (let i = 0; i < character.length; i++) {
    escape += `\\u${character.charCodeAt(i).toString(16).padStart(4, "0")}`;
  }
  return escape;
}
