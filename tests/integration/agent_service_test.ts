// The agent as an init system runs it: install.sh --agent for real, on a throwaway copy of this machine.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { compiledBinary } from "../support/compiled_binary.ts";
import { needs } from "../support/needs.ts";
import { freePort } from "../support/processes.ts";
import { BECOME_OPENRC, ThrowawayMachine } from "../support/throwaway_machine.ts";
import { readAll } from "../support/bytes.ts";
import { waitFor } from "../support/wait_for.ts";

interface InitSystem {
  readonly firstProcess: "shell" | "systemd";
  readonly prepare: string;
  readonly service: (action: string) => string;
  /** Prints the agent's pid. */
  readonly pid: string;
  /** Succeeds if it is started at boot. */
  readonly registered: string;
}

const SYSTEMS: Readonly<Record<string, InitSystem>> = {
  SysV: {
    firstProcess: "shell",
    prepare: "true",
    service: (action) => `/etc/init.d/compute-lb-agent ${action}`,
    pid: "cat /run/compute-lb-agent.pid",
    registered: "ls /etc/rc2.d/S*compute-lb-agent",
  },
  OpenRC: {
    firstProcess: "shell",
    prepare: BECOME_OPENRC,
    service: (action) => `rc-service compute-lb-agent ${action}`,
    pid: "cat /run/openrc/options/compute-lb-agent/child_pid",
    registered: "rc-update show default | grep compute-lb-agent",
  },
  systemd: {
    firstProcess: "systemd",
    // The devices of this machine are bind mounts, of which systemd cannot make private ones.
    prepare: `mkdir -p /etc/systemd/system/compute-lb-agent.service.d
      printf '[Service]\\nPrivateDevices=no\\n' >/etc/systemd/system/compute-lb-agent.service.d/test.conf`,
    service: (action) => `systemctl ${action} compute-lb-agent`,
    pid: "systemctl show --property=MainPID --value compute-lb-agent",
    registered: "systemctl is-enabled compute-lb-agent",
  },
};

async function ask(port: number): Promise<string> {
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  return new TextDecoder().decode(await readAll(conn));
}

async function acceptance(t: Deno.TestContext, init: InitSystem): Promise<void> {
  await using machine = await ThrowawayMachine.boot(init.firstProcess);
  const port = freePort();
  const service = (action: string) => machine.run(init.service(action));
  await machine.must("mkdir -p /srv/install");
  await Deno.copyFile(await compiledBinary(), machine.path("/srv/install/compute-lb"));
  const script = new URL("../../install.sh", import.meta.url);
  await Deno.copyFile(script, machine.path("/srv/install/install.sh"));
  await machine.must(init.prepare);

  await t.step("install.sh --agent installs, registers and starts it", async () => {
    const { code, stdout, stderr } = await machine.run(
      `/srv/install/install.sh --agent --listen 127.0.0.1:${port}`,
    );
    assertEquals({ code, stderr }, { code: 0, stderr: "" });
    assertStringIncludes(stdout, "The agent is running.");
    await machine.must(init.registered);
    assertEquals((await service("status")).code, 0);
  });

  await t.step("it answers, as its own user, and drains by nologin", async () => {
    // Where systemd has only just booted, it still keeps people out.
    await machine.must("rm -f /run/nologin");
    const ready = /^\d+% ready #load1=.* memory_total_bytes=\d+/;
    await waitFor("the agent", async () => ready.test(await ask(port)));
    const pid = (await machine.must(init.pid)).trim();
    const user = (await machine.must("id -u compute-lb")).trim();
    const status = await machine.must(`cat /proc/${pid}/status`);
    assertMatch(status, new RegExp(`^Uid:\\s${user}\\s${user}\\s${user}\\s${user}$`, "m"));
    await machine.must("touch /run/nologin");
    await waitFor("the drain", async () => /^\d+% drain #.* nologin\n$/.test(await ask(port)));
    await machine.must("rm /run/nologin");
  });

  await t.step("installing again restarts it, with the flags that it had", async () => {
    const pid = await machine.must(init.pid);
    const stdout = await machine.must("/srv/install/install.sh --agent");
    assertStringIncludes(stdout, "The agent is running");
    await waitFor("the agent", () => ask(port));
    assert(await machine.must(init.pid) !== pid);
  });

  await t.step("uninstall --purge stops it and leaves nothing behind", async () => {
    await machine.must("/srv/install/install.sh --uninstall --purge");
    const left = await machine.must(
      "find /etc /usr/local /var /run -name '*compute-lb*' -not -path '/var/cache/apt/*' 2>/dev/null",
    );
    assertEquals(left, "");
    const refused = await ask(port).then(() => false, () => true);
    assert(refused, "the port is closed");
  });
}

for (const [name, init] of Object.entries(SYSTEMS)) {
  const special = name === "OpenRC" ? ["deb:openrc"] : name === "systemd" ? ["systemctl"] : [];
  Deno.test({
    ...needs("root", "unshare", "nsenter", ...special),
    name: `the agent's service under ${name}`,
    fn: (t) => acceptance(t, init),
  });
}
