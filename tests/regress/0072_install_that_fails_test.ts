// install.sh left drafts of 41 MB behind when it was interrupted, put a damaged program over a good one,
// stopped half-way through --uninstall where something was read-only, and gave BusyBox's flags to
// every adduser.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { compiledBinary } from "../support/compiled_binary.ts";
import { needs } from "../support/needs.ts";
import { mustRun, type Outcome, runProgram, TemporaryDirectory } from "../support/run_program.ts";
import { ThrowawayMachine } from "../support/throwaway_machine.ts";

const SCRIPT = new URL("../../install.sh", import.meta.url).pathname;

/** A directory with install.sh, a program beside it, and `root` to install into. */
async function staged(path: string): Promise<string[]> {
  await Deno.mkdir(`${path}/source`);
  await Deno.copyFile(SCRIPT, `${path}/source/install.sh`);
  const program = "#!/bin/sh\necho compute-lb 0.0.0\n";
  await Deno.writeTextFile(`${path}/source/compute-lb`, program, { mode: 0o755 });
  return ["env", `DESTDIR=${path}/root`, "sh", `${path}/source/install.sh`];
}

Deno.test("an interrupted install.sh leaves no draft behind", async () => {
  await using directory = new TemporaryDirectory();
  const { path } = directory;
  const command = await staged(path);
  await Deno.mkdir(`${path}/bin`);
  // Stands for a copy that takes its time.
  const slow = '#!/bin/sh\n/bin/cp "$@"\nkill -TERM $PPID\n';
  await Deno.writeTextFile(`${path}/bin/cp`, slow, { mode: 0o755 });
  const env = { PATH: `${path}/bin:${Deno.env.get("PATH")}` };
  const { code } = await runProgram(command, { env });
  assertEquals(code, 143);
  assertEquals(await mustRun("find", `${path}/root`, "-type", "f"), "");
  assertEquals((await runProgram(command)).code, 0);
});

Deno.test({
  ...needs("root", "unshare"),
  name: "--uninstall goes on where something is read-only, and says what is left",
  fn: async () => {
    await using directory = new TemporaryDirectory();
    const { path } = directory;
    const command = await staged(path);
    await mustRun(...command, "--init", "sysv");
    const readOnly = 'mount --bind "$0" "$0"; mount -o remount,bind,ro "$0"; exec "$@"';
    const usr = `${path}/root/usr`;
    const outcome = await runProgram(
      ["unshare", "--mount", "sh", "-euc", readOnly, usr, ...command, "--uninstall", "--purge"],
    );
    assertEquals([outcome.code, outcome.stdout], [1, ""]);
    const said = /all that was to go:\n((?: {2}.*\n)+)Run/.exec(outcome.stderr)?.[1] ?? "";
    const told = said.trim().split(/\s+/);
    assert(told.includes(`${usr}/local/bin/compute-lb`), outcome.stderr);
    const left = await mustRun("find", `${path}/root`, "-type", "f");
    assertEquals(left.trim().split("\n").toSorted(), told.toSorted());
    assertEquals((await runProgram([...command, "--uninstall", "--purge"])).code, 0);
  },
});

/** Runs install.sh in a machine of its own, with a program whose file is cut off if so wished. */
async function installIn(machine: ThrowawayMachine, flags = "--init sysv"): Promise<Outcome> {
  await machine.must("mkdir -p /srv/install");
  await Deno.copyFile(await compiledBinary(), machine.path("/srv/install/compute-lb"));
  await Deno.copyFile(SCRIPT, machine.path("/srv/install/install.sh"));
  return await machine.run(`/srv/install/install.sh ${flags}`);
}

const MACHINE = needs("root", "unshare", "nsenter");

Deno.test({
  ...MACHINE,
  name: "install.sh does not put a damaged program over the good one",
  fn: async () => {
    await using machine = await ThrowawayMachine.boot("shell");
    assertEquals((await installIn(machine)).code, 0);
    await machine.must("truncate -s -1000 /srv/install/compute-lb");
    const { code, stderr } = await machine.run("/srv/install/install.sh --init sysv");
    assertEquals(code, 1);
    assertStringIncludes(stderr, "/srv/install/compute-lb: the file is damaged");
    await machine.must("/usr/local/bin/compute-lb --version");
  },
});

Deno.test({
  ...MACHINE,
  name: "install.sh makes its user by BusyBox's adduser, or says how to make it by hand",
  fn: async () => {
    await using machine = await ThrowawayMachine.boot("shell");
    await machine.must("mkdir /opt/made; mv /usr/sbin/useradd /usr/sbin/groupadd /opt/made");
    const debian = await installIn(machine);
    assertEquals(debian.code, 1);
    assertMatch(debian.stderr, /^install.sh: Cannot make the group compute-lb: expected useradd/);
    // What it says to type is enough.
    const lines = debian.stderr.trimEnd().split("\n").slice(-2);
    await machine.must(lines.join("\n"));
    assertEquals((await machine.run("/srv/install/install.sh --init sysv")).code, 0);
    await machine.must("/srv/install/install.sh --uninstall --purge --init sysv");

    // Flags as BusyBox has them (busybox adduser --help), done by the real programs.
    const banner =
      "case $1 in --help) echo 'BusyBox v1.36.1 multi-call binary.' >&2; exit 1 ;; esac";
    const group = `#!/bin/sh\n${banner}\n[ "$1" = -S ] && exec /opt/made/groupadd -r "$2"\n`;
    const user = `#!/bin/sh\n${banner}\nhome=; shell=; group=\n` +
      "while getopts SDHh:s:G: option; do case $option in h) home=$OPTARG ;; s) shell=$OPTARG ;;" +
      " G) group=$OPTARG ;; [?]) exit 1 ;; esac; done\nshift $((OPTIND - 1))\n" +
      'exec /opt/made/useradd -r -M -d "$home" -s "$shell" -g "$group" "$1"\n';
    const mode = { mode: 0o755 };
    await machine.must("rm /usr/sbin/addgroup /usr/sbin/adduser");
    await Deno.writeTextFile(machine.path("/usr/sbin/addgroup"), group, mode);
    await Deno.writeTextFile(machine.path("/usr/sbin/adduser"), user, mode);
    const { code, stderr } = await machine.run("/srv/install/install.sh --init sysv");
    assertEquals([code, stderr], [0, ""]);
    assertMatch(
      await machine.must("getent passwd compute-lb"),
      /:\/var\/lib\/compute-lb:.*nologin\n$/,
    );
  },
});
