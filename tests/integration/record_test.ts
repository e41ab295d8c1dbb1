// Recordings of the real program: what they hold, and that rotation, restarts and a full disk leave whole
// lines behind.

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { parseRecordLine, type RecordLine } from "../../lib/record/record_format.ts";
import { echo, TcpPeer } from "../peers/tcp_peer.ts";
import { Balancer, runProgram } from "../support/balancer.ts";
import { needs } from "../support/needs.ts";
import { TemporaryDirectory } from "../support/run_program.ts";
import { Sessions } from "../support/sessions.ts";
import { waitFor } from "../support/wait_for.ts";

/** A recording's lines, each of which must be whole. */
async function linesOf(path: string): Promise<RecordLine[]> {
  const text = await Deno.readTextFile(path);
  assert(text === "" || text.endsWith("\n"), text.slice(-80));
  return text.split("\n").slice(0, -1).map((line) => {
    const parsed = parseRecordLine(line);
    if (!parsed.ok) throw new Error(`${parsed.message}: ${line}`);
    return parsed.value;
  });
}

function configOf(peer: TcpPeer, record: string): string {
  return `
log: { record: ${record} }
frontends: { ssh: { listen: "127.0.0.1:0" } }
pools:
  compute:
    backends: ["${peer.address}=4"]
    load: { source: exec, interval: 200ms, exec: { command: ["/bin/sh", "-c", "echo 1.5", "{host}"] } }
    health: { probe: tcp, interval: 500ms, rise: 1, fall: 1 }
`;
}

for (const engine of ["splice", "portable"]) {
  Deno.test(`${engine}: a recording holds what a replay needs, over rotation and restart`, async () => {
    await using folder = new TemporaryDirectory();
    await using peer = new TcpPeer(echo);
    const path = `${folder.path}/record`;
    const config = configOf(peer, path);
    {
      await using balancer = await Balancer.start({ flags: ["--engine", engine], config });
      const port = await balancer.port("ssh");
      await waitFor("samples", async () => {
        const samples = (await linesOf(path)).filter(({ kind }) => kind === "sample");
        return samples.length > 1;
      });
      const sessions = await Sessions.open(port, 2);
      const opened = await waitFor("the decisions", async () => {
        const found = (await linesOf(path)).filter((line) => line.kind === "opened");
        return found.length === 2 ? found : undefined;
      });
      // Two workers may take a number and write their records the other way round.
      assertEquals(opened.map(({ tunnel }) => tunnel).sort(), [1, 2]);
      const [pick] = opened[0]?.picks ?? [];
      assertEquals([pick?.backend, pick?.strategy, pick?.why], [
        peer.address,
        "least_load",
        "only_one",
      ]);

      await Deno.rename(path, `${path}.1`);
      await balancer.reload(config);
      sessions.close();
      const after = await waitFor("the ends in the new file", async () => {
        const lines = await linesOf(path);
        return lines.filter(({ kind }) => kind === "closed").length === 2 ? lines : undefined;
      });
      assertEquals(after.slice(0, 2).map(({ kind }) => kind), ["recording", "pool"]);
      const before = await linesOf(`${path}.1`);
      assertEquals(before.slice(0, 2).map(({ kind }) => kind), ["recording", "pool"]);
      assert(before.some((line) => line.kind === "backend" && line.state === "ready") === false);
      const pool = after.find((line) => line.kind === "pool");
      assertEquals(pool?.backends.map(({ active, load1, cores }) => [active, load1, cores]), [
        [2, 1.5, 4],
      ]);
      const times = [...before, ...after].map(({ t }) => t);
      assert(times.every((t) => Number.isFinite(t)));

      // A reload without rotation goes on in the same file.
      await balancer.reload(config);
      const again = await linesOf(path);
      assertEquals(again.filter(({ kind }) => kind === "recording").length, 1);

      await peer[Symbol.asyncDispose]();
      await waitFor(
        "the backend to be down",
        async () =>
          (await linesOf(path)).some((line) => line.kind === "backend" && line.state === "down"),
      );
      using conn = await Deno.connect({ hostname: "127.0.0.1", port });
      await conn.read(new Uint8Array(1)).catch(() => null);
      const refused = await waitFor(
        "the refusal",
        async () => (await linesOf(path)).find((line) => line.kind === "refused"),
      );
      assertEquals(refused.reason, "no_backend");
      assertEquals(refused.picks.map(({ why }) => why), ["nobody"]);
      balancer.signal("SIGTERM");
      assertEquals(await balancer.end(), 0);
    }
    await Deno.writeTextFile(path, '{"kind":"closed","t":1', { append: true });
    await using _balancer = await Balancer.start({ flags: ["--engine", engine], config });
    const lines = await linesOf(path);
    assertEquals(lines.filter(({ kind }) => kind === "recording").length, 2);
  });
}

Deno.test("a recording that cannot be written is said at the start", async () => {
  await using peer = new TcpPeer(echo);
  const flags = ["--listen", "127.0.0.1:0", "--backends", peer.address, "--load", "none"];
  const { code, stderr } = await runProgram([
    ...flags,
    "--admin-socket",
    "off",
    "--record",
    "/proc/nowhere/record",
  ]);
  assertEquals(code, 1);
  assertStringIncludes(stderr, 'Cannot record to "/proc/nowhere/record"');
  const wrong = await runProgram([...flags, "--record", "here"]);
  assertEquals(wrong.code, 2);
  assertStringIncludes(wrong.stderr, "expected off or an absolute path");
});

Deno.test({
  name: "a recording on a full disk goes on when there is room again, in whole lines",
  ...needs("root", "unshare"),
  fn: async () => {
    await using peer = new TcpPeer(echo);
    const small = "mount -t tmpfs -o size=64k none /mnt && head -c 40960 /dev/zero > /mnt/filler";
    await using balancer = await Balancer.start({
      config: configOf(peer, "/mnt/record"),
      prefix: ["unshare", "-m", "sh", "-c", `${small} && exec "$@"`, "sh"],
    });
    const inside = `/proc/${balancer.pid}/root/mnt`;
    const port = await balancer.port("ssh");
    await waitFor("the disk to be full", async () => {
      (await Sessions.open(port, 20)).close();
      const { counters } = await balancer.status();
      return counters.logLinesDropped > 0;
    });
    await balancer.logged("the recording cannot be written");
    // It is tried again, in vain, more than once.
    const { counters } = await balancer.status();
    const many = counters.logLinesDropped + 20;
    await balancer.until("more losses", ({ counters }) => counters.logLinesDropped > many);
    assert((await linesOf(`${inside}/record`)).length > 10);
    await Deno.remove(`${inside}/filler`);
    // On a disk that is all but full, the first line of a new beginning may be all that fits.
    await waitFor("the recording to begin anew", async () => {
      (await Sessions.open(port, 1)).close();
      const lines = await linesOf(`${inside}/record`);
      const anew = lines.findLastIndex(({ kind }) => kind === "recording");
      return anew > 0 && lines[anew + 1]?.kind === "pool";
    });
    await balancer.logged("the recording goes on");
    // However long it lasts, a full disk is told once.
    const told = balancer.log.filter(({ message }) =>
      String(message).includes("cannot be written")
    );
    assertEquals(told.length, 1);
  },
});
