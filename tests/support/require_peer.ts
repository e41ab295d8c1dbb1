// Says whether the real programs that a test talks to are there. Without them the test is skipped and
// says why; with CI=true it fails, so that nobody ships on skipped tests.

/** Where each peer lives, in order of preference (Debian's paths first). */
const PATHS = {
  nrpe: ["/usr/sbin/nrpe", "/usr/bin/nrpe"],
  check_nrpe: ["/usr/lib/nagios/plugins/check_nrpe"],
  check_load: ["/usr/lib/nagios/plugins/check_load"],
  sshd: ["/usr/sbin/sshd"],
  ssh: ["/usr/bin/ssh"],
  "ssh-keygen": ["/usr/bin/ssh-keygen"],
  plink: ["/usr/bin/plink"],
  openssl: ["/usr/bin/openssl"],
  haproxy: ["/usr/sbin/haproxy", "/usr/bin/haproxy"],
  tcsh: ["/usr/bin/tcsh", "/bin/tcsh"],
  fish: ["/usr/bin/fish"],
  mmdblookup: ["/usr/bin/mmdblookup"],
  "libmaxmind-db-writer-perl": ["/var/lib/dpkg/info/libmaxmind-db-writer-perl.list"],
  gmond: ["/usr/sbin/gmond"],
  "gmond-modules": [
    "/usr/lib/x86_64-linux-gnu/ganglia/modload.so",
    "/usr/lib/aarch64-linux-gnu/ganglia/modload.so",
    "/usr/lib/ganglia/modload.so",
  ],
  gmetric: ["/usr/bin/gmetric"],
  dnsmasq: ["/usr/sbin/dnsmasq"],
  podman: ["/usr/bin/podman"],
  runc: ["/usr/sbin/runc", "/usr/bin/runc"],
  "redis-server": ["/usr/bin/redis-server"],
  "redis-cli": ["/usr/bin/redis-cli"],
  nanocat: ["/usr/bin/nanocat"],
  prometheus: ["/usr/bin/prometheus"],
  etcd: ["/usr/bin/etcd"],
  zookeeper: ["/usr/share/java/zookeeper.jar"],
  java: ["/usr/bin/java"],
} as const;

export type PeerName = keyof typeof PATHS;

/** Where the peer's program is, undefined when it is not installed. */
export function peerPath(name: PeerName): string | undefined {
  return PATHS[name].find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });
}

/**
 * Where the peer's program is.
 * @throws when it is not installed.
 */
export function peerProgram(name: PeerName): string {
  const path = peerPath(name);
  if (path === undefined) throw new Error(missingText([name]));
  return path;
}

const told = new Set<string>();

/**
 * To be spread into a test's definition: `Deno.test({ ...requirePeer("nrpe"), name, fn })`.
 * Ignores the test when a peer is missing and prints the reason once.
 * @throws when a peer is missing and CI=true.
 */
export function requirePeer(...names: readonly PeerName[]): { readonly ignore: boolean } {
  const missing = names.filter((name) => peerPath(name) === undefined);
  if (missing.length === 0) return { ignore: false };
  const text = missingText(missing);
  if (Deno.env.get("CI") === "true") throw new Error(text);
  if (!told.has(text)) console.error(`skipping tests: ${text}`);
  told.add(text);
  return { ignore: true };
}

function missingText(names: readonly PeerName[]): string {
  const where = names.map((name) => `${name} (${PATHS[name].join(" or ")})`);
  return `missing peer: ${where.join(", ")}; tests/support/install_peers.ts installs it on Debian`;
}
