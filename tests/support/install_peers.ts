// Installs the real peers that the tests run against, where that is possible: as root on Debian.
// Elsewhere it lists what is missing; the tests that need it are then skipped, except with CI=true,
// where a missing peer fails them.

interface Peer {
  readonly program: string;
  readonly package: string;
}

const PEERS: readonly Peer[] = [
  { program: "/usr/sbin/sshd", package: "openssh-server" },
  { program: "/usr/bin/ssh", package: "openssh-client" },
  { program: "/usr/sbin/nrpe", package: "nagios-nrpe-server" },
  { program: "/usr/lib/nagios/plugins/check_nrpe", package: "nagios-nrpe-plugin" },
  { program: "/usr/lib/nagios/plugins/check_load", package: "monitoring-plugins-basic" },
  { program: "/usr/bin/openssl", package: "openssl" },
  { program: "/usr/bin/tcsh", package: "tcsh" },
  { program: "/usr/bin/fish", package: "fish" },
  { program: "/usr/bin/shellcheck", package: "shellcheck" },
  { program: "/usr/sbin/ip", package: "iproute2" },
  { program: "/usr/bin/systemd-analyze", package: "systemd" },
];

/** Downloaded, never installed here: a test installs them on a throwaway copy of the machine. */
const DOWNLOADS: readonly string[] = ["openrc"];
const ARCHIVES = "/var/cache/apt/archives";

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch {
    return false;
  }
}

async function run(command: string, ...args: string[]): Promise<boolean> {
  const { success, stderr } = await new Deno.Command(command, {
    args,
    env: { DEBIAN_FRONTEND: "noninteractive" },
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) console.error(new TextDecoder().decode(stderr).trim());
  return success;
}

const missing: Peer[] = [];
for (const peer of PEERS) if (!await exists(peer.program)) missing.push(peer);

if (missing.length > 0) {
  const packages = [...new Set(missing.map((peer) => peer.package))];
  if (Deno.uid() === 0 && await exists("/usr/bin/apt-get")) {
    console.error(`installing ${packages.join(" ")}`);
    // Daemons that packages bring must not start on this machine: policy-rc.d(8) forbids it, unless
    // the machine has a policy of its own.
    const policy = "/usr/sbin/policy-rc.d";
    const ownPolicy = !await exists(policy);
    if (ownPolicy) await Deno.writeTextFile(policy, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
    try {
      const options = ["-y", "-qq", "--no-install-recommends"];
      if (!await run("apt-get", "install", ...options, ...packages)) {
        await run("apt-get", "update", "-qq");
        await run("apt-get", "install", ...options, ...packages);
      }
    } finally {
      if (ownPolicy) await Deno.remove(policy);
    }
  }
  for (const peer of missing) {
    if (!await exists(peer.program)) {
      console.error(`missing: ${peer.program} (Debian package ${peer.package})`);
    }
  }
}

if (Deno.uid() === 0 && await exists("/usr/bin/apt-get")) {
  for (const name of DOWNLOADS) {
    const files = await Array.fromAsync(Deno.readDir(ARCHIVES));
    if (files.some((file) => file.name.startsWith(`${name}_`))) continue;
    const options = ["-y", "-qq", "--no-install-recommends", "--download-only"];
    if (!await run("apt-get", "install", ...options, name)) {
      await run("apt-get", "update", "-qq");
      await run("apt-get", "install", ...options, name);
    }
  }
}
