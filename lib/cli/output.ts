// Writing to the terminal, and what it can do.

const encoder = new TextEncoder();

/** Writes text to stdout. */
export function print(text: string): void {
  writeAll(Deno.stdout, text);
}

/** Writes text to stderr. */
export function complain(text: string): void {
  writeAll(Deno.stderr, text.endsWith("\n") ? text : `${text}\n`);
}

function writeAll(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  const bytes = encoder.encode(text);
  try {
    for (let at = 0; at < bytes.length;) at += stream.writeSync(bytes.subarray(at));
  } catch {
    // The reader has left (EPIPE): nobody is there to be told.
  }
}

/** Whether colours are welcome: a terminal, and no NO_COLOR (no-color.org). */
export function colourful(): boolean {
  return Deno.stdout.isTerminal() && (Deno.env.get("NO_COLOR") ?? "") === "";
}

/** Puts an SGR code around text where colours are welcome. */
export function paint(text: string, code: number, colours: boolean): string {
  return colours ? `\x1b[${code}m${text}\x1b[0m` : text;
}

export const RED = 31;
export const GREEN = 32;
export const YELLOW = 33;
export const BOLD = 1;
export const DIM = 2;
