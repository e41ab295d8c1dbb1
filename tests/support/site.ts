// A site as administrators have it: four compute servers with real sshd on loopback addresses, three of
// which answer real NRPE (plain, stock anonymous TLS, certificates), the fourth asked over ssh.

import { Nrped } from "../peers/nrped.ts";
import { Sshd } from "../peers/sshd.ts";
import { peerProgram } from "./require_peer.ts";
import { type Outcome, runProgram } from "./run_program.ts";

/** User and group of the balancer when it does not run as root. */
export const NOBODY = 65534;

const ADDRESSES = ["127.10.0.1", "127.10.0.2", "127.10.0.3", "127.10.0.4"] as const;

export class Site implements AsyncDisposable {
  private constructor(
    readonly sshds: readonly Sshd[],
    readonly nrpeds: readonly Nrped[],
    /** Keys that the balancer uses, readable by the user that it runs as. */
    readonly keys: string,
  ) {}

  /** @param forNobody whether the balancer runs as {@linkcode NOBODY} and needs keys of its own. */
  static async start(forNobody = false): Promise<Site> {
    const first = await Sshd.start({ address: ADDRESSES[0] });
    const others = ADDRESSES.slice(1).map((address) => Sshd.start({ address, keysOf: first }));
    const sshds = [first, ...await Promise.all(others)];
    const nrpeds = await Promise.all([
      Nrped.start({ address: ADDRESSES[0], mode: "plain" }),
      Nrped.start({ address: ADDRESSES[1], mode: "anonymous" }),
      Nrped.start({
        address: ADDRESSES[2],
        mode: "certificates",
        requireClientCertificate: true,
      }),
    ]);
    const keys = await Deno.makeTempDir({ prefix: "compute-lb-keys-" });
    await Deno.chmod(keys, 0o755);
    const { certificates } = nrpeds[2] ?? fail();
    const copy = (from: string, to: string) => copyKey(from, to, forNobody);
    await copy(certificates.ca, `${keys}/ca.pem`);
    await copy(certificates.clientCertificate, `${keys}/client.pem`);
    await copy(certificates.clientKey, `${keys}/client.key`);
    await copy(first.client.identityFile, `${keys}/identity`);
    await copy(first.client.knownHostsFile, `${keys}/known_hosts`);
    await Deno.writeTextFile(
      `${keys}/ssh_config`,
      `Host *
  User ${first.client.user}
  IdentityFile ${keys}/identity
  IdentitiesOnly yes
  UserKnownHostsFile ${keys}/known_hosts
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
`,
      { mode: 0o644 },
    );
    return new Site(sshds, nrpeds, keys);
  }

  /** Sets what the three NRPE daemons report. */
  async setLoads(...loads: readonly (readonly [load1: number, cores: number])[]): Promise<void> {
    for (const [index, [load1, cores]] of loads.entries()) {
      await this.nrpeds[index]?.setLoad(load1, cores);
    }
  }

  /** The name that a backend has in reports. */
  id(index: number): string {
    const sshd = this.sshds[index] ?? fail();
    return `${sshd.address}:${sshd.port}`;
  }

  /**
   * An lb.conf of the site.
   * @param cores by server, where they are configured; the others' are learnt, the fourth has half a one.
   * @param without servers that are left out.
   */
  config(cores: Readonly<Record<number, number>> = {}, without: readonly number[] = []): string {
    const backends = this.sshds.map((_, index) => {
      const nrped = this.nrpeds[index];
      const load = nrped === undefined
        ? `load: { source: ssh, ssh: { config_file: ${this.keys}/ssh_config } }`
        : index === 2
        ? `load_address: "${nrped.address}:${nrped.port}", load: { nrpe: { tls: certificates, ` +
          `ca: ${this.keys}/ca.pem, certificate: ${this.keys}/client.pem, key: ${this.keys}/client.key } }`
        : `load_address: "${nrped.address}:${nrped.port}"`;
      const own = cores[index] ?? (nrped === undefined ? 0.5 : undefined);
      const configured = own === undefined ? "" : `, cores: ${own}`;
      return `      - { address: "${this.id(index)}", ${load}${configured} }`;
    }).filter((_, index) => !without.includes(index));
    return `
frontends:
  ssh: { listen: "127.0.0.1:0" }
pools:
  compute:
    backends:
${backends.join("\n")}
    load: { source: nrpe, interval: 500ms, timeout: 450ms, max_age: 5s }
    health: { probe: banner, interval: 1s, timeout: 900ms, rise: 1, fall: 2 }
`;
  }

  /** Runs the real ssh through the balancer. */
  async ssh(port: number, ...command: readonly string[]): Promise<Outcome> {
    return await runProgram(this.sshCommand(port, ...command));
  }

  sshCommand(port: number, ...command: readonly string[]): string[] {
    const [first = fail()] = this.sshds;
    const arguments_ = [...first.clientArguments(), "-p", String(port)];
    return [peerProgram("ssh"), ...arguments_, "127.0.0.1", ...command];
  }

  /** The address of the server that a login lands on. */
  async landing(port: number): Promise<string> {
    const { code, stdout, stderr } = await this.ssh(port, "echo $SSH_CONNECTION");
    if (code !== 0) throw new Error(`ssh failed: ${stderr}`);
    return stdout.split(" ")[2] ?? "";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.sshds, ...this.nrpeds].map((peer) => peer[Symbol.asyncDispose]()));
    await Deno.remove(this.keys, { recursive: true });
  }
}

function fail(): never {
  throw new Error("The site lacks a server");
}

/** Copies a file so that the balancer's user, and nobody else, can read it. */
async function copyKey(from: string, to: string, forNobody: boolean): Promise<void> {
  await Deno.copyFile(from, to);
  await Deno.chmod(to, 0o600);
  if (forNobody) await Deno.chown(to, NOBODY, NOBODY);
}
