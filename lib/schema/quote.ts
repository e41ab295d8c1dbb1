// Text from outside in messages.

import { printable } from "../core/values/printable.ts";

/** Quotes text from outside for a message: printable, on one line, of bounded length. */
export function quote(text: string): string {
  const shown = text.length > 80 ? `${text.slice(0, 77)}...` : text;
  return `"${printable(shown)}"`;
}
