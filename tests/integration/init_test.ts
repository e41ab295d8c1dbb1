// The service as an init system runs it: install.sh for real, on a throwaway copy of this machine,
// then start, sessions, reload, refused reload, crash, stop, upgrade and removal.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { closeQuietly } from "../../lib/core/serving/accept_loop.ts";
import { greetThenEcho, TcpPeer } from "../peers/tcp_peer.ts";
import { compiledBinary } from "../support/compiled_binary.ts";
import { needs } from "../support/needs.ts";
import { freePort } from "../support/processes.ts";
import { BECOME_OPENRC, ThrowawayMachine } from "../support/throwaway_machine.ts";
import { waitFor, within } from "../support/wait_for.ts";

interface InitSystem {
  readonly firstProcess: "shell" | "systemd";
  /** Makes the machine one that runs this init system, with four seconds for stop. */
  readonly prepare: string;
  /** The command for start, stop, ... */
  readonly service: (action: string) => string;
  /** Exit code of status after a crash; undefined: it is started again. */
  readonly crashed: number | undefined;
  /** systemd stops before it checks: nothing can be done between. */
  readonly checksBeforeRestart: boolean;
  /** Prints the balancer's pid. */
  readonly pid: string;
  /** Prints the end of its log. */
  readonly log: string;
  /** Succeeds if it is started at boot. */
  readonly registered: string;
}

/** Exit codes of status, as LSB has them. */
const RUNNING = 0;
const STOPPED = 3;

const SYSV: InitSystem = {
  firstProcess: "shell",
  prepare: "rm -f /etc/rc?.d/*compute-lb; echo stop_seconds=4 >/etc/default/compute-lb",
  service: (action) => `/etc/init.d/compute-lb ${action}`,
  crashed: 1,
  checksBeforeRestart: true,
  pid: "cat /run/compute-lb.pid",
  log: "tail -n 5 /var/log/compute-lb.log",
  registered: "ls /etc/rc2.d/S*compute-lb",
};

const OPENRC: InitSystem = {
  firstProcess: "shell",
  prepare: `${BECOME_OPENRC}
    echo stop_seconds=4 >/etc/conf.d/compute-lb`,
  service: (action) => `rc-service compute-lb ${action}`,
  crashed: undefined,
  checksBeforeRestart: true,
  pid: "cat /run/openrc/options/compute-lb/child_pid",
  log: "tail -n 5 /var/log/compute-lb.log",
  registered: "rc-update show default | grep compute-lb",
};

const SYSTEMD: InitSystem = {
  firstProcess: "systemd",
  prepare: `
    mkdir -p /etc/systemd/system/compute-lb.service.d
    # The devices of this machine are bind mounts, of which systemd cannot make private ones.
    printf '[Service]\\nTimeoutStopSec=4\\nEnvironment=CLB_STOP_SECONDS=4\\nPrivateDevices=no\\n' \\
      >/etc/systemd/system/compute-lb.service.d/test.conf
    # Where even root may not raise limits (no CAP_SYS_RESOURCE), systemd would refuse to start it.
    (ulimit -n 524288) 2>/dev/null ||
      printf 'LimitNOFILE=%s\\nOOMScoreAdjust=\\n' "$(ulimit -Hn)" >>/etc/systemd/system/compute-lb.service.d/test.conf`,
  service: (action) => `systemctl ${action} compute-lb`,
  crashed: undefined,
  checksBeforeRestart: false,
  pid: "systemctl show --property=MainPID --value compute-lb",
  log: "journalctl --unit=compute-lb --no-pager --lines=20",
  registered: "systemctl is-enabled compute-lb",
};

async function read(conn: Deno.Conn): Promise<string> {
  const buffer = new Uint8Array(64);
  const count = await within("bytes through the balancer", conn.read(buffer));
  return new TextDecoder().decode(buffer.subarray(0, count ?? 0));
}

/** Connects through the balancer and tells which backend greets. */
async function greeting(port: number): Promise<string> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  try {
    return await read(conn);
  } finally {
    conn.close();
  }
}

async function stillEchoes(session: Deno.Conn, text: string): Promise<void> {
  await session.write(new TextEncoder().encode(text));
  assertEquals(await read(session), text);
}

async function acceptance(t: Deno.TestContext, init: InitSystem): Promise<void> {
  await using left = new TcpPeer(greetThenEcho("left"));
  await using right = new TcpPeer(greetThenEcho("right"));
  await using machine = await ThrowawayMachine.boot(init.firstProcess);
  const port = freePort();
  const service = (action: string) => machine.run(init.service(action));
  await machine.must("mkdir -p /srv/install");
  await Deno.copyFile(await compiledBinary(), machine.path("/srv/install/compute-lb"));
  const script = new URL("../../install.sh", import.meta.url);
  await Deno.copyFile(script, machine.path("/srv/install/install.sh"));
  await machine.must(init.prepare);
  const conf = "/etc/compute-lb/lb.conf";
  const balancer = () => machine.must(init.pid).then((text) => text.trim());

  await t.step("install.sh installs, registers and starts it", async () => {
    const { code, stdout, stderr } = await machine.run(
      `/srv/install/install.sh --listen 127.0.0.1:${port} --backends ${left.address},${right.address}`,
    );
    const log = code === 0 ? "" : (await machine.run(init.log)).stdout;
    assertEquals({ code, stderr, log }, { code: 0, stderr: "", log: "" });
    assertStringIncludes(stdout, "compute-lb is running");
    await machine.must(init.registered);
    assertEquals((await service("status")).code, RUNNING);
  });

  await t.step(
    "it serves, as its own user, with the descriptors that it was promised",
    async () => {
      const greetings = new Set<string>();
      await waitFor("both backends to be used", async () => {
        greetings.add(await greeting(port));
        return greetings.has("left") && greetings.has("right");
      });
      const pid = await balancer();
      const user = (await machine.must("id -u compute-lb")).trim();
      // Clients are taken from the instant the port is bound, which as root comes just before.
      const owned = new RegExp(`^Uid:\\s${user}\\s${user}\\s${user}\\s${user}$`, "m");
      const status = await waitFor("root to be given up", async () => {
        const text = await machine.must(`cat /proc/${pid}/status`);
        return owned.test(text) && text;
      });
      assertMatch(status, /^Name:\scompute-lb$/m);
      // As many as are allowed here, where even root may be held to fewer.
      const promised = await machine.must("ulimit -n 524288 2>/dev/null; ulimit -n");
      const limits = await machine.must(`cat /proc/${pid}/limits`);
      assertStringIncludes(limits.replaceAll(/ +/g, " "), `Max open files ${promised.trim()} `);
    },
  );

  const session = await Deno.connect({ hostname: "127.0.0.1", port });
  try {
    const home = await read(session);
    const [gone, stays] = home === "left" ? [left, "right"] : [right, "left"];
    await t.step("a reload takes a new lb.conf over and keeps sessions", async () => {
      await machine.must(`sed -i '/"${gone.address}"/d' ${conf}`);
      const { code, stdout, stderr } = await service("reload");
      assertEquals({ code, text: code === 0 ? "" : stdout + stderr }, { code: 0, text: "" });
      await waitFor("new clients to go to the backend that is left", async () => {
        const recent = [await greeting(port), await greeting(port), await greeting(port)];
        return recent.every((name) => name === stays);
      });
      await stillEchoes(session, "after the reload");
    });

    await t.step("a bad lb.conf stops reload and restart, not the balancer", async () => {
      const pid = await balancer();
      await machine.must(`cp ${conf} /tmp/good && echo 'pools: 7' >${conf}`);
      for (const action of init.checksBeforeRestart ? ["reload", "restart"] : ["reload"]) {
        const { code } = await service(action);
        assert(code !== 0, `${action} with a bad lb.conf`);
      }
      assertEquals(await balancer(), pid);
      assertEquals((await service("status")).code, RUNNING);
      await stillEchoes(session, "after the refusal");
      assertEquals(await greeting(port), stays);
      await machine.must(`cp /tmp/good ${conf}`);
    });

    await t.step("installing again keeps lb.conf and the balancer that runs", async () => {
      const pid = await balancer();
      const before = await machine.must(`cat ${conf}`);
      const stdout = await machine.must("/srv/install/install.sh");
      assertStringIncludes(stdout, "compute-lb is running");
      assertEquals(await machine.must(`cat ${conf}`), before);
      assertEquals(await balancer(), pid);
      await stillEchoes(session, "after the upgrade");
    });

    await t.step("stop closes the port, then cuts what is left, and says so", async () => {
      const { code, stdout, stderr } = await service("stop");
      assertEquals({ code, text: code === 0 ? "" : stdout + stderr }, { code: 0, text: "" });
      assertEquals((await service("status")).code, STOPPED);
      await waitFor("the session to be cut", () =>
        session.read(new Uint8Array(64)).then(
          (count) => count === null,
          () => true,
        ));
      const refused = await greeting(port).then(() => false, () => true);
      assert(refused, "the port is closed");
      const log = await machine.must(init.log);
      assertMatch(log, /1 session may go on, those left are cut at [0-9:]+Z \(in 2.0s/);
      assertStringIncludes(log, " reason=shutdown");
    });
  } finally {
    closeQuietly(session);
  }

  await t.step(
    "a crash is mended by the init system, or seen by status and mended by start",
    async () => {
      assertEquals((await service("start")).code, 0);
      const pid = await balancer();
      await machine.must(`kill -KILL ${pid}`);
      if (init.crashed !== undefined) {
        // A killed process takes a moment to be gone.
        const { crashed } = init;
        await waitFor(
          "the crash to be seen",
          async () => (await service("status")).code === crashed,
        );
        assertEquals((await service("start")).code, 0);
      }
      await waitFor("the balancer to serve again", () => greeting(port).catch(() => undefined));
      assert(await balancer() !== pid);
      assertEquals((await service("status")).code, RUNNING);
    },
  );

  await t.step("it does not start when its port is taken, and says why", async () => {
    assertEquals((await service("stop")).code, 0);
    using _taken = Deno.listen({ hostname: "127.0.0.1", port });
    const { code, stderr } = await service("start");
    if (init.crashed === undefined) {
      // A supervisor has started, not the balancer; it gives up in the end.
      const log = () => machine.must(init.log);
      await waitFor("the log to say why", async () => (await log()).includes(`127.0.0.1:${port}`));
      await service("stop");
      return;
    }
    assertEquals(code, 1);
    assertStringIncludes(stderr, `127.0.0.1:${port}`);
    assertEquals((await service("status")).code, STOPPED);
  });

  await t.step(
    "install.sh says who holds its port, and leaves nothing that tries again",
    async () => {
      await machine.must(
        `setsid compute-lb agent --listen 127.0.0.1:${port} >/dev/null 2>&1 </dev/null &
         echo $! >/tmp/taker`,
      );
      await waitFor("the port to be taken", () => greeting(port).then(() => true, () => false));
      const { code, stdout, stderr } = await machine.run("/srv/install/install.sh");
      assertEquals([code, stdout.includes("is running")], [1, false]);
      assertMatch(stderr, new RegExp(`port ${port} is taken by compute-lb \\(pid \\d+\\)\n`));
      assertStringIncludes(stderr, "\nThen: ");
      assertEquals((await service("status")).code, STOPPED);
      await machine.must("kill $(cat /tmp/taker)");
    },
  );

  await t.step("uninstall --purge stops it and leaves nothing behind", async () => {
    await service("start");
    await machine.must("/srv/install/install.sh --uninstall --purge");
    const { code } = await machine.run("id compute-lb");
    assert(code !== 0, "the user is gone");
    const left = await machine.must(
      "find /etc /usr/local /var /run -name '*compute-lb*' -not -path '/var/cache/apt/*' 2>/dev/null",
    );
    assertEquals(left, "");
    const refused = await greeting(port).then(() => false, () => true);
    assert(refused, "the port is closed");
  });
}

Deno.test({
  ...needs("root", "unshare", "nsenter"),
  name: "the service under SysV",
  fn: (t) => acceptance(t, SYSV),
});

Deno.test({
  ...needs("root", "unshare", "nsenter", "deb:openrc"),
  name: "the service under OpenRC",
  fn: (t) => acceptance(t, OPENRC),
});

Deno.test({
  ...needs("root", "unshare", "nsenter", "systemctl"),
  name: "the service under systemd",
  fn: (t) => acceptance(t, SYSTEMD),
});
