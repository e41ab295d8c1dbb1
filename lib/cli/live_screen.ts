// A picture on the terminal that is drawn anew again and again, and the keys that are pressed meanwhile.

import { clip, print } from "./output.ts";

/** What is shown, and what keys do to it. */
export interface LivePicture {
  /** Its lines from the top; those that do not fit the screen are cut off. */
  draw(size: ScreenSize): Promise<readonly string[]> | readonly string[];
  /** A key was pressed, as the terminal sends it. @returns whether to go on. */
  pressed?(key: string): boolean;
}

export interface ScreenSize {
  readonly rows: number;
  readonly columns: number;
}

const ENTER = "\x1b[?1049h\x1b[?25l";
const LEAVE = "\x1b[?25h\x1b[?1049l";
const HOME = "\x1b[H";
const CLEAR_LINE_END = "\x1b[K";
const CLEAR_BELOW = "\x1b[J";

/** Shows a picture on the terminal until a key, a signal or `stop` ends it. */
export async function showLive(
  picture: LivePicture,
  intervalMs: number,
  stop: AbortSignal,
): Promise<void> {
  const end = new AbortController();
  const signal = AbortSignal.any([stop, end.signal]);
  const leave = () => end.abort();
  let refresh = Promise.withResolvers<void>();
  const redraw = () => refresh.resolve();
  const suspend = () => {
    stopScreen();
    Deno.kill(Deno.pid, "SIGSTOP");
  };
  const resume = () => {
    startScreen();
    redraw();
  };
  const handlers = [
    ["SIGINT", leave],
    ["SIGTERM", leave],
    ["SIGHUP", leave],
    ["SIGWINCH", redraw],
    ["SIGTSTP", suspend],
    ["SIGCONT", resume],
  ] as const;
  for (const [name, handler] of handlers) Deno.addSignalListener(name, handler);
  signal.addEventListener("abort", redraw);
  startScreen();
  if (picture.pressed !== undefined && Deno.stdin.isTerminal()) {
    readKeys((key) => {
      if (picture.pressed?.(key) === false) leave();
      redraw();
    });
  }
  try {
    while (!signal.aborted) {
      refresh = Promise.withResolvers();
      const size = screenSize();
      print(frameOf(await picture.draw(size), size));
      const timer = setTimeout(redraw, intervalMs);
      if (signal.aborted) redraw();
      await refresh.promise;
      clearTimeout(timer);
    }
  } finally {
    stopScreen();
    for (const [name, handler] of handlers) Deno.removeSignalListener(name, handler);
  }
}

/** Draws over the picture before; a line that wrapped would push all below it out of place. */
export function frameOf(lines: readonly string[], { rows, columns }: ScreenSize): string {
  const shown = lines.slice(0, Math.max(1, rows - 1)).map((line) => clip(line, columns));
  return HOME + shown.map((line) => line + CLEAR_LINE_END + "\n").join("") + CLEAR_BELOW;
}

/** The terminal's size, or that of a terminal from before there were sizes. */
function screenSize(): ScreenSize {
  try {
    const { rows, columns } = Deno.consoleSize();
    return { rows: rows || 24, columns: columns || 80 };
  } catch {
    return { rows: 24, columns: 80 };
  }
}

function startScreen(): void {
  print(ENTER);
  setRaw(true);
}

function stopScreen(): void {
  setRaw(false);
  print(LEAVE);
}

/** Keys come one by one and are not echoed; those that send signals still do. */
function setRaw(raw: boolean): void {
  if (Deno.stdin.isTerminal()) Deno.stdin.setRaw(raw, { cbreak: raw });
}

/** Goes on until the process ends: a read that waits for a key cannot be taken back. */
async function readKeys(pressed: (key: string) => void): Promise<void> {
  const bytes = new Uint8Array(64);
  const decoder = new TextDecoder();
  try {
    for (let n = await Deno.stdin.read(bytes); n !== null; n = await Deno.stdin.read(bytes)) {
      pressed(decoder.decode(bytes.subarray(0, n)));
    }
  } catch {
    // The terminal has gone; the HUP that says so ends the picture.
  }
}
