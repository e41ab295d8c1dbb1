// lbtk's README: its command lines as they stand, called by lbtk's names, in a place of their own where they
// have a /dev/log, and where nothing that serves in the background outlives the test.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { LBTK_NAMES } from "../../lib/cli/called_as.ts";
import { receive, send } from "../support/bytes.ts";
import { compiledBinary } from "../support/compiled_binary.ts";
import { needs } from "../support/needs.ts";
import { freePort } from "../support/processes.ts";
import { endNow, TemporaryDirectory } from "../support/run_program.ts";
import { SystemLog } from "../support/syslog.ts";
import { waitFor } from "../support/wait_for.ts";

/** Own processes, own /run, own /dev. Ends with all that it has started. */
const PLACE = `
mount -t tmpfs tmpfs /run
for name in null zero full random urandom tty; do
  touch "$DEVICES/$name"
  mount --bind "/dev/$name" "$DEVICES/$name"
done
mount --rbind "$DEVICES" /dev
PATH=$BIN:$PATH
`;

class Place implements AsyncDisposable {
  /** What was printed, stdout and stderr. */
  text = "";
  readonly #child: Deno.ChildProcess;
  readonly #reading: Promise<unknown>;

  constructor(env: Readonly<Record<string, string>>, script: string) {
    this.#child = new Deno.Command("unshare", {
      args: ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        .concat("sh", "-c", PLACE + script),
      env,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#reading = Promise.all([this.#read(this.#child.stdout), this.#read(this.#child.stderr)]);
  }

  /** Waits for a text. */
  async said(text: string): Promise<void> {
    await waitFor(`"${text}"`, () => this.text.includes(text) || undefined)
      .catch((error: unknown) => {
        throw new Error(`${error}\n${this.text}`);
      });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await endNow(this.#child);
    await this.#reading;
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) this.text += text;
  }
}

Deno.test({
  ...needs("root", "unshare"),
  name: "lbtk's README runs as it stands, in the background and with syslog",
  fn: async () => {
    await using folder = new TemporaryDirectory();
    const [bin, devices] = [`${folder.path}/bin`, `${folder.path}/dev`];
    await Deno.mkdir(bin);
    await Deno.mkdir(devices);
    for (const name of LBTK_NAMES) await Deno.symlink(await compiledBinary(), `${bin}/${name}`);
    await using syslog = await SystemLog.start(`${devices}/log`);
    const [one, two, feed, front] = [freePort(), freePort(), freePort(), freePort()];
    const env = {
      BIN: bin,
      DEVICES: devices,
      CLB_RUNTIME_DIR: `${folder.path}/runtime`,
      ...{ ONE: `${one}`, TWO: `${two}`, FEED: `${feed}`, FRONT: `${front}` },
    };
    await using place = new Place(
      env,
      `
# Whoever does not read what it prints is no trouble.
(echo-tcp-splice -d -f 127.0.0.1:$ONE 127.0.0.1:$TWO; echo "echo: $?" >&2) | true
# Nor waits anybody for its end who does read.
(proxy-tcp-splice -d -f 127.0.0.1:$FRONT tcp://127.0.0.1:$FEED; echo "proxy: $?") 2>&1 | cat
proxy-tcp-splice -d -f 127.0.0.1:$FRONT tcp://127.0.0.1:$FEED; echo "again: $?"
refresh-static 127.0.0.1:$ONE 127.0.0.1:$TWO | gen tcp://127.0.0.1:$FEED
`,
    );
    await place.said("again: 1");
    const [before = "", after = ""] = place.text.split("proxy: 0");
    assertStringIncludes(before, "echo: 0");
    assertMatch(after, /Cannot listen on "?127\.0\.0\.1:\d+.*address already in use/);
    await place.said(`listens on tcp://127.0.0.1:${feed}`);
    for (let client = 0; client < 4; client++) {
      using conn = await Deno.connect({ port: front });
      await send(conn, "hello");
      assertEquals(await receive(conn, 5), "hello");
    }
    const listens = await syslog.told(`echo listens on 127.0.0.1:${two}`);
    assertMatch(listens, /^<134>.* echo-tcp-splice\[\d+\]: echo listens on/);
    assertMatch(await syslog.told("ready"), /^<134>.* proxy-tcp-splice\[\d+\]: app: ready/);
    for (const port of [one, two]) await syslog.told(`127.0.0.1:${port}`);
    const errors = syslog.messages.filter((message) => message.startsWith("<131>"));
    assertEquals(errors.length, 1, errors.join("\n"));
    assert(errors[0]?.includes("in use"), errors[0]);
  },
});
