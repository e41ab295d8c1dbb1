import { assertEquals, assertMatch } from "@std/assert";
import { openLibc } from "../../../lib/host/libc.ts";
import { Syslog } from "../../../lib/host/syslog.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { TemporaryDirectory } from "../../support/run_program.ts";
import { SystemLog } from "../../support/syslog.ts";

// It stays open, which a test would take for a leak.
openLibc();

const encoder = new TextEncoder();

Deno.test("lines go to the system's log as syslog(3) writes them", async () => {
  await using folder = new TemporaryDirectory();
  const path = `${folder.path}/log`;
  const clock = new ManualClock();
  const syslog = new Syslog({ clock, tag: "proxy-tcp", path });
  const write = (text: string) => syslog.write(encoder.encode(text));
  // Nobody takes them: that is no failure, and nobody is called again at once.
  assertEquals(await write("lost\n"), 5);
  {
    await using log = await SystemLog.start(path);
    await write("too soon\n");
    await clock.advance(1000);
    await write(`<3>a: bad\nplain <3>\n${"x".repeat(9000)}\n`);
    const last = await log.told("xxx");
    const date = "[A-Z][a-z]{2} [ 1-3]\\d \\d\\d:\\d\\d:\\d\\d";
    const head = `${date} proxy-tcp\\[${Deno.pid}\\]: `;
    assertMatch(log.messages[0] ?? "", new RegExp(`^<131>${head}a: bad$`));
    assertMatch(log.messages[1] ?? "", new RegExp(`^<134>${head}plain <3>$`));
    assertEquals([log.messages.length, last.length], [3, 8192]);
  }
  // Another syslogd stands in its place.
  await using log = await SystemLog.start(path);
  await write("<6>again\n");
  await log.told(": again");
});

Deno.test("a log that is full is waited for, and not for ever", async () => {
  await using folder = new TemporaryDirectory();
  const path = `${folder.path}/log`;
  await using log = await SystemLog.start(path);
  const clock = new ManualClock();
  const syslog = new Syslog({ clock, tag: "t", path });
  log.signal("SIGSTOP");
  let written = 0;
  const flooding = (async () => {
    while (clock.sleeperCount === 0 && written < 10_000) {
      const line = syslog.write(encoder.encode(`line ${written++}\n`));
      // As many as the kernel keeps for it.
      if (clock.sleeperCount === 0) await line;
      else return await line;
    }
  })();
  await clock.advance(20 * 49);
  assertEquals(clock.sleeperCount, 1);
  await clock.advance(20);
  await flooding;
  assertEquals(written < 10_000, true);
  log.signal("SIGCONT");
  await log.told(`line ${written - 2}`);
  assertEquals(log.messages.length, written - 1);
});
