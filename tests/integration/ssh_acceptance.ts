// What the program exists for, on real ssh: logins land by free cores, bytes arrive identical, ptys,
// tunnels and half-close work, reload and TERM lose nothing. Runs against any way of starting it.

import { assert, assertAlmostEquals, assertEquals, assertStringIncludes } from "@std/assert";
import { Balancer, type BalancerOptions } from "../support/balancer.ts";
import { digest, pseudoRandomBytes, receive } from "../support/bytes.ts";
import { freePort } from "../support/processes.ts";
import { requirePeer } from "../support/require_peer.ts";
import { endNow, mustRun, runProgram } from "../support/run_program.ts";
import { Site } from "../support/site.ts";
import { isTurnedAway } from "../support/sessions.ts";
import { waitFor } from "../support/wait_for.ts";

const MIB = 1024 * 1024;

export interface Acceptance {
  /** How the program is started in this run. */
  readonly name: string;
  readonly options?: () => Promise<Omit<BalancerOptions, "config">>;
  readonly forNobody?: boolean;
  readonly ignore?: boolean;
}

/** Registers the acceptance test for one way of starting the program. */
export function sshAcceptance({ name, options, forNobody, ignore }: Acceptance): void {
  const peers = requirePeer("sshd", "ssh", "ssh-keygen", "nrpe", "openssl");
  Deno.test({
    name: `ssh through the balancer (${name})`,
    ignore: peers.ignore || ignore === true,
    fn: async (t) => {
      await using site = await Site.start(forNobody);
      await site.setLoads([6, 8], [15, 24], [8, 12]);
      await using balancer = await Balancer.start({
        ...await options?.(),
        config: site.config(),
      });
      const port = await balancer.port("ssh");
      await steps(t, site, balancer, port);
    },
  });
}

async function steps(
  t: Deno.TestContext,
  site: Site,
  balancer: Balancer,
  port: number,
): Promise<void> {
  await t.step("every load is known: plain, anonymous TLS, certificates, ssh", async () => {
    const report = await balancer.until(
      "all loads",
      ({ pools }) =>
        pools[0]?.backends.every(({ load1, state }) => load1 !== null && state === "up") === true,
    );
    const backends = report.pools[0]?.backends ?? [];
    assertEquals(backends.slice(0, 3).map(({ load1 }) => load1), [6, 15, 8]);
    assertEquals(backends.slice(0, 3).map(({ cores }) => cores), [8, 24, 12]);
    // The older the sample, the less the estimate makes of it: some thousandths within seconds.
    [2, 9, 4].forEach((free, index) =>
      assertAlmostEquals(backends[index]?.free ?? NaN, free, 0.05)
    );
    assert((backends[3]?.memoryAvailableBytes ?? 0) > 0, "the ssh source reads the memory, too");
    assert((backends[3]?.free ?? 1) <= 0.5);
  });

  await t.step("a login lands on the most free cores, not on the lowest load", async () => {
    assertEquals(await site.landing(port), "127.10.0.2");
    const opened = await waitFor(
      "the access record",
      () => balancer.records("opened").findLast(({ backend }) => backend === site.id(1)),
    );
    assertEquals([opened.strategy, opened.next], ["least_load", site.id(2)]);
    assertAlmostEquals(Number(opened.free), 9, 0.05);
    assertAlmostEquals(Number(opened.next_free), 4, 0.05);
  });

  await t.step("and follows the loads when they change", async () => {
    await site.setLoads([6, 8], [23.9, 24], [0.5, 12]);
    // A load does not jump like that in nature, so the estimate takes some seconds to believe it.
    await balancer.until("the third to be the best place", ({ pools }) => {
      const [first, second, third] = pools[0]?.backends.map(({ free }) => free ?? 0) ?? [];
      return (third ?? 0) > 2 + Math.max(first ?? 0, second ?? 0);
    });
    assertEquals(await site.landing(port), "127.10.0.3");
  });

  await t.step("a reload gives the fourth server, asked over ssh, the most cores", async () => {
    await mostCores(site, balancer, 3);
    assertEquals(await site.landing(port), "127.10.0.4");
  });

  await t.step("scp of 256 MiB arrives identical, both ways", async () => {
    const folder = await Deno.makeTempDir({ prefix: "compute-lb-scp-" });
    try {
      const bytes = pseudoRandomBytes(256 * MIB, 4711);
      const wanted = await digest(bytes);
      await Deno.writeFile(`${folder}/up`, bytes);
      const [first] = site.sshds;
      const scp = ["/usr/bin/scp", "-q", "-F", first?.client.configFile ?? "", "-P", String(port)];
      await mustRun(...scp, `${folder}/up`, `127.0.0.1:${folder}/there`);
      assertEquals(await digest(await Deno.readFile(`${folder}/there`)), wanted);
      await mustRun(...scp, `127.0.0.1:${folder}/there`, `${folder}/back`);
      assertEquals(await digest(await Deno.readFile(`${folder}/back`)), wanted);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });

  await t.step("the client that closes its write side still gets the whole answer", async () => {
    const [program = "", ...args] = site.sshCommand(port, "cat; sleep 0.3; echo after the end");
    const child = new Deno.Command(program, { args, stdin: "piped", stdout: "piped" }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode("before the end\n"));
    await writer.close();
    const { stdout } = await child.output();
    assertEquals(new TextDecoder().decode(stdout), "before the end\nafter the end\n");
  });

  await t.step("a pty works", async () => {
    const { stdout } = await runProgram(
      [
        "script",
        "-qec",
        site.sshCommand(port, "-tt", "tty").map(shellQuote).join(" "),
        "/dev/null",
      ],
    );
    assertStringIncludes(stdout, "/dev/pts/");
  });

  await t.step("ssh -N carries a port forwarding", async () => {
    const target = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const serving = (async () => {
      using conn = await target.accept();
      await conn.write(new TextEncoder().encode("through the tunnel"));
    })();
    const local = freePort();
    const forward = `${local}:127.0.0.1:${target.addr.port}`;
    const [program = "", ...args] = site.sshCommand(port);
    const tunnel = new Deno.Command(program, {
      args: ["-N", "-L", forward, ...args],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    try {
      using conn = await waitFor(
        "the forwarded port",
        () => Deno.connect({ hostname: "127.0.0.1", port: local }).catch(() => undefined),
      );
      assertEquals(await receive(conn, 18), "through the tunnel");
      await serving;
    } finally {
      target.close();
      await endNow(tunnel);
    }
  });

  await t.step("a server that dies takes its own sessions with it, and no others", async () => {
    await mostCores(site, balancer, 1);
    await using doomed = await startSession(site, port);
    assertEquals(await doomed.landing, "127.10.0.2");
    await mostCores(site, balancer, 0);
    await using lucky = await startSession(site, port);
    assertEquals(await lucky.landing, "127.10.0.1");
    await site.sshds[1]?.stop();
    assert(await doomed.child.status.then(({ code }) => code !== 0));
    assertEquals(await lucky.say("still here"), "still here");
    await balancer.until(
      "the dead server to be down",
      ({ pools }) => pools[0]?.backends[1]?.state === "down",
    );
    // The dead server has the most cores free, and its health beats them.
    await mostCores(site, balancer, 1, 2);
    assertEquals(await site.landing(port), "127.10.0.3");
    await site.sshds[1]?.restart();
    await balancer.until(
      "the server to be back",
      ({ pools }) => pools[0]?.backends[1]?.state === "up",
    );
    assertEquals(await site.landing(port), "127.10.0.2");
  });

  await t.step("a reload that removes a server leaves its ssh session alone", async () => {
    await using session = await startSession(site, port);
    assertEquals(await session.landing, "127.10.0.2");
    const without = site.config({ 2: SECOND_MOST }, [1]);
    assertEquals((await balancer.reload(without)).event, "reloaded");
    await balancer.until("the reload's effect", ({ pools }) => pools[0]?.backends.length === 4);
    assertEquals(await site.landing(port), "127.10.0.3");
    assertEquals(await session.say("not touched"), "not touched");
    assertEquals((await balancer.reload(site.config())).event, "reloaded");
  });

  await t.step("without any load, logins take turns", async () => {
    await Promise.all(site.nrpeds.map((nrped) => nrped.stop()));
    assertEquals((await balancer.reload(site.config({}, [3]))).event, "reloaded");
    await balancer.until("the fallback", ({ pools }) => pools[0]?.strategyInUse === "round_robin");
    const landings = new Set<string>();
    for (let i = 0; i < 3; i++) landings.add(await site.landing(port));
    assertEquals(landings.size, 3);
  });

  await t.step("TERM lets sessions end and turns new ones away", async () => {
    await using session = await startSession(site, port);
    await session.landing;
    balancer.signal("SIGTERM");
    await balancer.logged("draining");
    assertEquals(await session.say("while draining"), "while draining");
    // Who comes until every worker has stopped accepting is still served.
    await waitFor("nobody to be taken", () => isTurnedAway(port));
    const { code } = await site.ssh(port, "true");
    assertEquals(code, 255);
    await session.end();
    assertEquals(await balancer.end(), 0);
    const cut = balancer.records("closed").filter(({ reason }) => reason === "shutdown");
    assertEquals(cut, []);
  });
}

/** More than any load can take away. */
const MOST = 4000;
const SECOND_MOST = 2000;

/** Reloads with so many cores for one server, and half of them for another, that nobody else is chosen. */
async function mostCores(
  site: Site,
  balancer: Balancer,
  first: number,
  second?: number,
): Promise<void> {
  const cores = { [first]: MOST, ...(second === undefined ? {} : { [second]: SECOND_MOST }) };
  assertEquals((await balancer.reload(site.config(cores))).event, "reloaded");
  await balancer.until(
    "the new cores",
    ({ pools }) =>
      Object.keys(cores).every((index) => (pools[0]?.backends[Number(index)]?.free ?? 0) > 1000),
  );
}

/** An ssh session that stands, with a cat at its end that answers. */
async function startSession(site: Site, port: number): Promise<Session> {
  const [program = "", ...args] = site.sshCommand(port, 'echo "$SSH_CONNECTION"; exec cat');
  const child = new Deno.Command(program, {
    args,
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const session = new Session(child);
  await session.landing;
  return session;
}

class Session implements AsyncDisposable {
  readonly landing: Promise<string>;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  #rest = "";

  constructor(readonly child: Deno.ChildProcess) {
    this.#reader = child.stdout.getReader();
    this.#writer = child.stdin.getWriter();
    this.landing = this.#line().then((line) => line.split(" ")[2] ?? "");
  }

  /** Sends a line and returns the one that comes back. */
  async say(text: string): Promise<string> {
    await this.#writer.write(new TextEncoder().encode(`${text}\n`));
    return await this.#line();
  }

  /** Logs out. */
  async end(): Promise<void> {
    await this.#writer.close();
    await this.child.status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer.abort().catch(() => {});
    await endNow(this.child);
    await this.#reader.cancel().catch(() => {});
  }

  async #line(): Promise<string> {
    for (;;) {
      const end = this.#rest.indexOf("\n");
      if (end >= 0) {
        const line = this.#rest.slice(0, end);
        this.#rest = this.#rest.slice(end + 1);
        return line;
      }
      const { value, done } = await this.#reader.read();
      if (done) throw new Error("The session has ended");
      this.#rest += new TextDecoder().decode(value);
    }
  }
}

function shellQuote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
