// The load source "ssh": the system's own ssh, one long-lived process for each backend, in which a
// small shell loop answers each probe with one line. No login and no new process per sample, on either
// side; ssh_config, known_hosts, agents and jump hosts work as they do for the user who runs this.

import { userInfo } from "node:os";
import { formatAddress, type TcpAddress } from "../core/values/address.ts";
import type { Backend } from "../core/pool/backend.ts";
import type { Clock, Random } from "../core/timing/clock.ts";
import { failed, type LoadResult } from "../core/pool/load.ts";
import { failure } from "../core/values/result.ts";
import { item, key, list, section, type ValueOf } from "../schema/declarations.ts";
import { quote } from "../schema/quote.ts";
import { absolutePath, line, port, text, userName } from "../schema/values.ts";
import { type LoadSource, loadSourceKind } from "./load_source.ts";
import { type SshComplaint, SshLink } from "./ssh_link.ts";
import { REMOTE_COMMAND } from "./ssh_remote.ts";

const sshOption = text('an ssh option "Name=value"', "list of ssh -o options", (text) => {
  const read = line("an ssh option", 1024).read(text);
  return !read.ok || /^[A-Za-z]+=./s.test(text)
    ? read
    : failure(`Cannot read ${quote(text)} as an ssh option: expected "Name=value"`);
});

const sshSection = section({ doc: "how a backend is asked with source: ssh" }, {
  user: key(userName, {
    unset: "ssh's choice",
    example: "monitor",
    doc: "the user to log in as",
  }),
  port: key(port, { unset: "the backend's", example: "22", doc: "where sshd listens" }),
  identity_file: key(absolutePath, {
    unset: "ssh's choice",
    example: "/etc/compute-lb/id_ed25519",
    doc: "the private key",
  }),
  config_file: key(absolutePath, {
    unset: "ssh's choice",
    example: "/etc/compute-lb/ssh_config",
    doc: "an ssh_config instead of the user's own",
  }),
  program: key(absolutePath, {
    unset: "ssh in PATH",
    example: "/opt/openssh/bin/ssh",
    doc: "the ssh program, where it is not the one that PATH finds",
  }),
  options: list(
    { unset: "none", doc: 'such as ["ConnectTimeout=5"]; they win over the keys above' },
    item(sshOption),
  ),
});

export interface SshOptions extends ValueOf<typeof sshSection> {
  readonly clock: Clock;
  readonly random: Random;
}

export class SshSource implements LoadSource {
  readonly #options: SshOptions;
  readonly #links = new Map<string, SshLink>();
  /** Processes that were told to end. */
  readonly #closing = new Set<Promise<void>>();

  constructor(options: SshOptions) {
    this.#options = options;
  }

  sample(backend: Backend, signal: AbortSignal): Promise<LoadResult> {
    const place = backend.loadAddress ??
      (backend.address.transport === "tcp" && this.#options.port !== undefined
        ? { ...backend.address, port: this.#options.port }
        : backend.address);
    if (place.transport !== "tcp") {
      const reason = `Cannot ask "${formatAddress(place)}" by ssh: expected a TCP address`;
      return Promise.resolve(failed(reason));
    }
    let link = this.#links.get(backend.id);
    if (link === undefined) {
      const { clock, random, program = "ssh" } = this.#options;
      const explain = (complaint: SshComplaint) => explainSsh(complaint, this.#options, place);
      const args = sshArguments(this.#options, place);
      link = new SshLink({ program, args, clock, random, explain });
      this.#links.set(backend.id, link);
    }
    return link.probe(signal);
  }

  /** Ends the backend's process. */
  forget(backendId: string): void {
    const link = this.#links.get(backendId);
    if (link === undefined) return;
    this.#links.delete(backendId);
    const closing = link.close().finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }

  /** Ends every process and waits for them. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const id of [...this.#links.keys()]) this.forget(id);
    await Promise.all(this.#closing);
  }
}

/** What ssh is called with. Of options given twice, ssh takes the first. */
export function sshArguments(options: SshOptions, place: TcpAddress): string[] {
  const settings = [
    ...options.options,
    "BatchMode=yes",
    "ConnectTimeout=10",
    // A dead network is noticed after 10 to 15 seconds.
    "ServerAliveInterval=5",
    "ServerAliveCountMax=2",
    // What an ssh_config may hold for people, and what would get in the way here: a shared connection
    // that outlives this process, a tunnel whose port is taken, a command of its own.
    "ControlMaster=no",
    "ControlPath=none",
    "ClearAllForwardings=yes",
    "PermitLocalCommand=no",
    "RemoteCommand=none",
  ];
  return [
    "-T",
    ...(options.configFile === undefined ? [] : ["-F", options.configFile]),
    ...(options.identityFile === undefined ? [] : ["-i", options.identityFile]),
    ...(options.user === undefined ? [] : ["-l", options.user]),
    ...["-p", String(place.port)],
    ...settings.flatMap((setting) => ["-o", setting]),
    ...["--", place.host, REMOTE_COMMAND],
  ];
}

/**
 * Says of a host key that is not known, or is another one, whose it is, where, and what to type; of a login
 * that is refused, who asked and with what.
 */
export function explainSsh(
  { text, otherKeyAt }: SshComplaint,
  { options, identityFile }: Pick<SshOptions, "options" | "identityFile">,
  { host, port }: TcpAddress,
): string {
  if (/Permission denied \(/.test(text)) {
    const keys = identityFile ?? "the keys that ssh finds by itself";
    return `${text} (${currentUser().name} runs ssh, with ${keys})`;
  }
  if (!/^Host key verification failed/.test(text)) return text;
  const { name, home } = currentUser();
  if (otherKeyAt !== undefined) {
    const file = otherKeyAt.replace(/:\d+$/, "");
    const entry = port === 22 ? host : `"[${host}]:${port}"`;
    return `Host key verification failed: ${host} (port ${port}) shows another key than ${name} has ` +
      `in ${otherKeyAt}; if that is meant, type: sudo ssh-keygen -f ${file} -R ${entry}`;
  }
  const named = options.flatMap((option) => /^UserKnownHostsFile=(\S+)/i.exec(option)?.[1] ?? []);
  const file = named[0] ?? `${home}/.ssh/known_hosts`;
  return `Host key verification failed: ${name} has no key of ${host} (port ${port}) in ${file}; ` +
    `type: ssh-keyscan -p ${port} ${host} | sudo tee -a ${file}, and compare it with the server's`;
}

function currentUser(): { readonly name: string; readonly home: string } {
  try {
    const { username, homedir } = userInfo();
    return { name: `user ${username}`, home: homedir ?? "~" };
  } catch {
    return { name: "this user", home: "~" };
  }
}

export const ssh = loadSourceKind("ssh", sshSection, {
  doc: "one ssh to each backend that stays, and reads /proc there",
  tellsMemory: true,
  tellsPressure: true,
  isKernelAverage: true,
  port: (own) => own.port,
  hasOwnNames: true,
  asksBackends: () => true,
}, (own, { clock, random }) => new SshSource({ ...own, clock, random }));
