// Installs the real peers that the tests run against, where that is possible: as root on Debian.
// Elsewhere it lists what is missing; the tests that need it are then skipped, except with CI=true,
// where a missing peer fails them.

import { aptInstall, canInstall, installMissing, type Program } from "./debian.ts";

const PEERS: readonly Program[] = [
  { program: "/usr/sbin/sshd", package: "openssh-server" },
  { program: "/usr/bin/ssh", package: "openssh-client" },
  { program: "/usr/bin/plink", package: "putty-tools" },
  { program: "/usr/sbin/nrpe", package: "nagios-nrpe-server" },
  { program: "/usr/lib/nagios/plugins/check_nrpe", package: "nagios-nrpe-plugin" },
  { program: "/usr/lib/nagios/plugins/check_load", package: "monitoring-plugins-basic" },
  { program: "/usr/bin/openssl", package: "openssl" },
  { program: "/usr/sbin/haproxy", package: "haproxy" },
  { program: "/usr/bin/tcsh", package: "tcsh" },
  { program: "/usr/bin/fish", package: "fish" },
  { program: "/usr/bin/zsh", package: "zsh" },
  { program: "/usr/bin/man", package: "man-db" },
  { program: "/usr/bin/groff", package: "groff-base" },
  { program: "/usr/bin/mandoc", package: "mandoc" },
  { program: "/usr/bin/shellcheck", package: "shellcheck" },
  { program: "/usr/sbin/ip", package: "iproute2" },
  { program: "/usr/bin/systemd-analyze", package: "systemd" },
  { program: "/usr/bin/mmdblookup", package: "mmdb-bin" },
  {
    program: "/var/lib/dpkg/info/libmaxmind-db-writer-perl.list",
    package: "libmaxmind-db-writer-perl",
  },
  { program: "/usr/sbin/gmond", package: "ganglia-monitor" },
  { program: "/usr/bin/promtool", package: "prometheus" },
  { program: "/usr/bin/redis-server", package: "redis-server" },
  { program: "/usr/bin/etcd", package: "etcd-server" },
  { program: "/usr/share/zookeeper/bin/zkServer.sh", package: "zookeeper" },
  { program: "/usr/bin/nanocat", package: "nanomsg-utils" },
  { program: "/usr/sbin/dnsmasq", package: "dnsmasq-base" },
  { program: "/usr/bin/podman", package: "podman" },
  { program: "/usr/sbin/runc", package: "runc" },
];

/** Downloaded, never installed here: a test installs them on a throwaway copy of the machine. */
const DOWNLOADS: readonly string[] = ["openrc"];
const ARCHIVES = "/var/cache/apt/archives";

await installMissing(PEERS);

if (await canInstall()) {
  for (const name of DOWNLOADS) {
    const files = await Array.fromAsync(Deno.readDir(ARCHIVES));
    if (files.some((file) => file.name.startsWith(`${name}_`))) continue;
    await aptInstall("--download-only", name);
  }
}
