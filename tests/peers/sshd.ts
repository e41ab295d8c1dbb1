// The real sshd of this machine, on a loopback address and port of its own, with keys of its own, run
// by the current user. Everything it needs is in one temporary directory that goes with it.
//
//   await using sshd = await Sshd.start();
//   ssh ...sshd.clientArguments() -p ${sshd.port} ${sshd.address} uptime

import { peerProgram } from "../support/require_peer.ts";
import { descendantsOf, isAlive, signal } from "../support/processes.ts";
import { mustRun } from "../support/run_program.ts";
import { DEADLINE_MS, waitFor } from "../support/wait_for.ts";
import { Daemon } from "./daemon.ts";

export interface SshdOptions {
  /** A loopback address. @default "127.0.0.1" */
  readonly address?: string;
  /** @default one that is free */
  readonly port?: number;
  /**
   * Takes host key and client key from another one, as sites do whose compute servers share a host
   * key: one client configuration then fits all of them, also through a balancer.
   */
  readonly keysOf?: Sshd;
  /** Becomes ~/.bashrc of the login shell, which bash reads when sshd starts it. @default "" */
  readonly bashrc?: string;
  /** Runs every command as this program's `-c` argument, as a login shell in passwd(5) would be. */
  readonly loginShell?: string;
  /**
   * How many may be about to log in. Tests log in many times in a row; what sshd has of itself,
   * 10:30:100, refuses some once 10 are on their way. @default "200"
   */
  readonly maxStartups?: string;
  /** Lines for sshd_config, before and above those that tests have anyway. */
  readonly config?: readonly string[];
}

/** How an ssh client gets in. */
export interface SshClient {
  readonly user: string;
  readonly identityFile: string;
  /** Trusts the daemon's host key whatever address it is reached by. */
  readonly knownHostsFile: string;
  /** An ssh_config with user, identity and known hosts in it: enough by itself, by `-F`. */
  readonly configFile: string;
}

export class Sshd extends Daemon {
  private constructor(directory: string, readonly client: SshClient, options: SshdOptions) {
    const address = options.address ?? "127.0.0.1";
    const logFile = `${directory}/sshd.log`;
    super(directory, {
      program: "sshd",
      address,
      port: options.port,
      logFile,
      listening: "Server listening on ",
      arguments: (port) =>
        Promise.resolve([
          ...["-D", "-f", `${directory}/sshd_config`, "-E", logFile],
          ...["-o", `ListenAddress=${address}`, "-p", String(port)],
        ]),
    });
  }

  /** Starts a daemon and waits until it listens. */
  static async start(options: SshdOptions = {}): Promise<Sshd> {
    return await Daemon.startIn("compute-lb-sshd-", async (directory) => {
      return new Sshd(directory, await prepare(directory, options), options);
    });
  }

  /** Arguments for the ssh program, before port and host. */
  clientArguments(): string[] {
    return ["-F", this.client.configFile, "-o", "BatchMode=yes"];
  }

  /** The processes of its sessions: sshd's own, shells and what they run. */
  async sessions(): Promise<number[]> {
    return this.pid === undefined ? [] : await descendantsOf(this.pid);
  }

  /** Ends every session at once, as the kernel does when it runs out of memory. */
  async killSessions(): Promise<void> {
    const pids = await this.sessions();
    for (const pid of pids) signal(pid, "SIGKILL");
    await waitFor("the sessions' end", async () => {
      const alive = await Promise.all(pids.map(isAlive));
      return !alive.includes(true);
    });
  }
}

/** Makes keys and configuration files. */
async function prepare(directory: string, options: SshdOptions): Promise<SshClient> {
  // Without this directory sshd refuses to start as root ("Missing privilege separation directory").
  if (Deno.uid() === 0) await Deno.mkdir("/run/sshd", { recursive: true, mode: 0o755 });
  const user = (await mustRun("/usr/bin/id", "-un")).trim();
  const [hostKey, identityFile] = [`${directory}/host_key`, `${directory}/identity`];
  for (const [path, name] of [[hostKey, "host_key"], [identityFile, "identity"]] as const) {
    if (options.keysOf === undefined) {
      await mustRun(peerProgram("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", path);
    } else {
      await Deno.copyFile(`${options.keysOf.directory}/${name}`, path);
      await Deno.copyFile(`${options.keysOf.directory}/${name}.pub`, `${path}.pub`);
    }
  }
  await Deno.copyFile(`${identityFile}.pub`, `${directory}/authorized_keys`);
  const home = `${directory}/home`;
  await Deno.mkdir(home);
  await Deno.writeTextFile(`${home}/.bashrc`, options.bashrc ?? "");

  const knownHostsFile = `${directory}/known_hosts`;
  await Deno.writeTextFile(knownHostsFile, `* ${await Deno.readTextFile(`${hostKey}.pub`)}`);
  const configFile = `${directory}/ssh_config`;
  await writeLines(configFile, [
    "Host *",
    `  User ${user}`,
    `  IdentityFile ${identityFile}`,
    "  IdentitiesOnly yes",
    `  UserKnownHostsFile ${knownHostsFile}`,
    "  GlobalKnownHostsFile /dev/null",
    "  StrictHostKeyChecking yes",
    `  ConnectTimeout ${Math.ceil(DEADLINE_MS / 1000)}`,
  ]);
  await writeLines(`${directory}/sshd_config`, [
    ...(options.config ?? []),
    `HostKey ${hostKey}`,
    `AuthorizedKeysFile ${directory}/authorized_keys`,
    `PidFile ${directory}/sshd.pid`,
    "StrictModes no",
    "UsePAM no",
    "UseDNS no",
    "PermitRootLogin yes",
    "PasswordAuthentication no",
    "KbdInteractiveAuthentication no",
    "PrintMotd no",
    "PrintLastLog no",
    `MaxStartups ${options.maxStartups ?? "200"}`,
    "Subsystem sftp internal-sftp",
    "LogLevel VERBOSE",
    `SetEnv HOME=${home}`,
    ...(options.loginShell === undefined
      ? []
      : [`ForceCommand exec ${options.loginShell} -c "$SSH_ORIGINAL_COMMAND"`]),
  ]);
  return { user, identityFile, knownHostsFile, configFile };
}

async function writeLines(path: string, lines: readonly string[]): Promise<void> {
  await Deno.writeTextFile(path, lines.join("\n") + "\n");
}
