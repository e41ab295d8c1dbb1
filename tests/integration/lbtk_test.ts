// lbtk's README: its command lines as they stand, called by lbtk's names, in a place of their own where they
// have a /dev/log, and where nothing that serves in the background outlives the test.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { LBTK_NAMES } from "../../lib/cli/called_as.ts";
import { receive, send } from "../support/bytes.ts";
import { compiledBinary } from "../support/compiled_binary.ts";
import { HeardProgram } from "../support/heard_program.ts";
import { needs } from "../support/needs.ts";
import { freePort } from "../support/processes.ts";
import { TemporaryDirectory } from "../support/run_program.ts";
import { SystemLog } from "../support/syslog.ts";

/** Own processes, own /run, own /dev. Ends with all that it has started. */
const PLACE = `
exec 2>&1
mount -t tmpfs tmpfs /run
for name in null zero full random urandom tty; do
  touch "$DEVICES/$name"
  mount --bind "/dev/$name" "$DEVICES/$name"
done
mount --rbind "$DEVICES" /dev
PATH=$BIN:$PATH
`;

const UNSHARE = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];

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
    const script = `
# Whoever does not read what it prints is no trouble.
(echo-tcp-splice -d -f 127.0.0.1:$ONE 127.0.0.1:$TWO; echo "echo: $?" >&2) | true
# Nor waits anybody for its end who does read.
(proxy-tcp-splice -d -f 127.0.0.1:$FRONT tcp://127.0.0.1:$FEED; echo "proxy: $?") 2>&1 | cat
proxy-tcp-splice -d -f 127.0.0.1:$FRONT tcp://127.0.0.1:$FEED; echo "again: $?"
refresh-static 127.0.0.1:$ONE 127.0.0.1:$TWO | gen tcp://127.0.0.1:$FEED
`;
    await using place = new HeardProgram([...UNSHARE, "sh", "-c", PLACE + script], env);
    await place.said("again: 1");
    const [before = "", after = ""] = place.stdout.split("proxy: 0");
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
