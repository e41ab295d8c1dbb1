// Builds the self-extracting file: header.sh, then a gzip'ed tar of this very deno and the program
// bundled into one script. The same sources and the same deno give the same bytes.

import { gzipSync } from "node:zlib";
import { VERSION } from "../version.ts";
import { packTar } from "./tar.ts";
import { V8_FLAGS } from "./v8_flags.ts";

/**
 * What packages of CommonJS ask for modules of the runtime by. The bundler brings its own, but not in a
 * script that is minified with names kept.
 */
const REQUIRE = "function require(name){return process.getBuiltinModule(name)}\n";

/**
 * Bundles the program into one script that needs no cache, no network and no other file. Dynamic
 * imports end up inside, each evaluated only when it is reached.
 * @param root the directory of main.ts, as a URL with a final slash.
 * @throws {Error} when `deno bundle` fails; it has then told why on stderr.
 */
export async function bundle(root: URL): Promise<Uint8Array> {
  const directory = await Deno.makeTempDir({ prefix: "compute-lb-bundle-" });
  try {
    const { success } = await new Deno.Command(Deno.execPath(), {
      cwd: root,
      // Names are kept for stack traces, and because classes are named in messages.
      args: ["bundle", "--quiet", "--minify", "--keep-names", "--platform", "deno"]
        .concat("--output", `${directory}/main.js`, "main.ts"),
      stdin: "null",
      stdout: "null",
      stderr: "inherit",
    }).output();
    if (!success) throw new Error('Cannot bundle "main.ts": deno bundle failed');
    const script = await Deno.readTextFile(`${directory}/main.js`);
    return new TextEncoder().encode(REQUIRE + script);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/**
 * Packs a script and a deno into the bytes of one executable file.
 * @param script what {@linkcode bundle} made.
 * @param deno the binary that will run it.
 */
export async function packSelfExtracting(
  script: Uint8Array,
  deno: Uint8Array,
): Promise<Uint8Array> {
  const archive = packTar([
    // Under this name the program shows in ps and top.
    { name: "compute-lb", mode: 0o755, content: deno },
    { name: "main.js", mode: 0o644, content: script },
  ]);
  // Level 9 costs two seconds more than 6 and saves a megabyte. The gzip header holds no time.
  const payload = new Uint8Array(gzipSync(archive, { level: 9 }));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", payload)).toHex();
  const template = await Deno.readTextFile(new URL("header.sh", import.meta.url));
  const header = new TextEncoder().encode(fill(template, {
    VERSION,
    DIGEST: digest,
    V8_FLAGS,
    ARCHITECTURE: Deno.build.arch,
    UNPACKED_MIB: String(Math.ceil(archive.length / 2 ** 20)),
  }));
  const file = new Uint8Array(header.length + payload.length);
  file.set(header);
  file.set(payload, header.length);
  return file;
}

const START_MARK = "@PAYLOAD_START@";

/** Fills the marks in; the place where the payload starts (counted from 1) includes itself. */
function fill(template: string, values: Readonly<Record<string, string>>): string {
  const filled = template.replace(/@([A-Z0-9_]+)@/g, (mark, name: string) => values[name] ?? mark);
  const parts = filled.split(START_MARK);
  if (parts.length !== 2) throw new Error(`Cannot fill header.sh: expected one ${START_MARK}`);
  const without = new TextEncoder().encode(parts.join("")).length;
  let start = without + 1;
  while (start !== without + String(start).length + 1) start = without + String(start).length + 1;
  return parts.join(String(start));
}
