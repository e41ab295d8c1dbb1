// Shows long text: with a pager on a terminal, as it is elsewhere.

import { print } from "./output.ts";

/** What less does unless $LESS says otherwise: ends at once when all fits, and leaves it on the screen. */
const LESS = "FRX";

/** Which pager there is without $PAGER; 127, as of a shell that finds none, where there is none. */
const USUAL_PAGER =
  "for pager in less more; do command -v $pager >/dev/null && exec $pager; done; exit 127";

/** Shows text with $PAGER, else with less, where stdin and stdout are a terminal; prints it elsewhere. */
export async function page(text: string): Promise<void> {
  const isTerminal = Deno.stdout.isTerminal() && Deno.stdin.isTerminal();
  if (!isTerminal || Deno.env.get("TERM") === "dumb" || !await showWithPager(text)) print(text);
}

/** Returns whether there is a pager. */
async function showWithPager(text: string): Promise<boolean> {
  const pager = Deno.env.get("PAGER") || USUAL_PAGER;
  // INT is for the pager, which stops searching then; it must not leave the pager without us.
  const ignore = () => {};
  Deno.addSignalListener("SIGINT", ignore);
  try {
    const child = new Deno.Command("/bin/sh", {
      args: ["-c", pager],
      env: { LESS: Deno.env.get("LESS") ?? LESS },
      stdin: "piped",
    }).spawn();
    const writer = child.stdin.getWriter();
    // A pager that was left early reads no more.
    await writer.write(new TextEncoder().encode(text)).catch(() => {});
    await writer.close().catch(() => {});
    const { code } = await child.status;
    // What a shell says of a program that it cannot find, or cannot run.
    return code !== 127 && code !== 126;
  } catch {
    return false;
  } finally {
    Deno.removeSignalListener("SIGINT", ignore);
  }
}
