// The real NRPE daemon of this machine, on a loopback address and port of its own: plain, with the
// stock anonymous Diffie-Hellman, or with certificates made for it. Tests set the load it reports.
//
//   await using nrped = await Nrped.start({ mode: "plain" });
//   await nrped.setLoad(3.25, 8);

import { makeCertificates } from "../support/certificates.ts";
import { mustRun } from "../support/run_program.ts";
import { Daemon } from "./daemon.ts";

export interface NrpedOptions {
  /** A loopback address. @default "127.0.0.1" */
  readonly address?: string;
  /** @default one that is free */
  readonly port?: number;
  /** plain: `nrpe -n`. anonymous: what a stock nrpe.cfg gives. @default "plain" */
  readonly mode?: "plain" | "anonymous" | "certificates";
  /** Mode certificates: whether a client without a certificate of the authority is refused. */
  readonly requireClientCertificate?: boolean;
  /** More commands, or another check_load: name to command line. */
  readonly commands?: Readonly<Record<string, string>>;
  /** Whom it answers; others are dropped without a word. @default "127.0.0.0/8,::1" */
  readonly allowedHosts?: string;
  /** More lines for nrpe.cfg. */
  readonly config?: readonly string[];
}

/** Certificate files in PEM, made for one daemon. The daemon's names "localhost" and its address. */
export interface NrpedCertificates {
  readonly ca: string;
  readonly clientCertificate: string;
  readonly clientKey: string;
}

export class Nrped extends Daemon {
  private constructor(directory: string, options: NrpedOptions) {
    const config = `${directory}/nrpe.cfg`;
    const plain = (options.mode ?? "plain") === "plain";
    super(directory, {
      program: "nrpe",
      address: options.address ?? "127.0.0.1",
      port: options.port,
      logFile: `${directory}/nrpe.log`,
      listening: "Listening for connections on port",
      arguments: async (port) => {
        const fixed = await Deno.readTextFile(`${directory}/nrpe.cfg.in`);
        await Deno.writeTextFile(config, `server_port=${port}\n${fixed}`);
        return ["-c", config, "-f", ...(plain ? ["-n"] : [])];
      },
    });
  }

  /** Starts a daemon and waits until it listens. It reports load 0.00 of 4 cores. */
  static async start(options: NrpedOptions = {}): Promise<Nrped> {
    return await Daemon.startIn("compute-lb-nrped-", async (directory) => {
      // The daemon runs as another user and reads its files there.
      await Deno.chmod(directory, 0o755);
      const nrped = new Nrped(directory, options);
      await nrped.setLoad(0, 4);
      await prepare(nrped, options);
      return nrped;
    });
  }

  get certificates(): NrpedCertificates {
    return {
      ca: `${this.directory}/ca.pem`,
      clientCertificate: `${this.directory}/client.pem`,
      clientKey: `${this.directory}/client.key`,
    };
  }

  /** What check_load answers from now on, in the form that `check_load -r` has in Debian. */
  async setLoad(load1: number, cores: number): Promise<void> {
    const scaled = (load1 / cores).toFixed(3);
    await this.setOutput(
      `LOAD OK - scaled load average: ${(load1 / cores).toFixed(2)}, 0.00, 0.00 - ` +
        `total load average: ${load1.toFixed(2)}, 0.00, 0.00` +
        `|load1=${load1.toFixed(3)};;;0; scaled_load1=${scaled};0.150;0.300;0; ` +
        "load5=0.000;;;0; scaled_load5=0.000;0.100;0.250;0; " +
        "load15=0.000;;;0; scaled_load15=0.000;0.050;0.200;0; ",
    );
  }

  /** What check_load answers from now on, word for word. */
  async setOutput(text: string): Promise<void> {
    // Renamed into place: the daemon's cat must never see half a file.
    const path = `${this.directory}/check_load.txt`;
    await Deno.writeTextFile(`${path}.new`, `${text}\n`);
    await Deno.rename(`${path}.new`, path);
  }
}

async function prepare(nrped: Nrped, options: NrpedOptions): Promise<void> {
  const { directory, address } = nrped;
  const commands = { check_load: `/bin/cat ${directory}/check_load.txt`, ...options.commands };
  // nrpe refuses to run as root.
  const root = Deno.uid() === 0;
  const user = root ? "nagios" : (await mustRun("/usr/bin/id", "-un")).trim();
  const group = root ? "nagios" : (await mustRun("/usr/bin/id", "-gn")).trim();
  // Opened by the daemon after it has become that user.
  await Deno.writeTextFile(`${directory}/nrpe.log`, "");
  await Deno.chmod(`${directory}/nrpe.log`, 0o666);
  const lines = [
    `server_address=${address}`,
    `pid_file=${directory}/nrpe.pid`,
    `log_file=${directory}/nrpe.log`,
    `nrpe_user=${user}`,
    `nrpe_group=${group}`,
    `allowed_hosts=${options.allowedHosts ?? "127.0.0.0/8,::1"}`,
    "dont_blame_nrpe=0",
    "command_timeout=60",
    "connection_timeout=300",
    ...Object.entries(commands).map(([name, line]) => `command[${name}]=${line}`),
    ...(options.config ?? []),
  ];
  if (options.mode === "certificates") {
    await makeCertificates(directory, address);
    lines.push(
      `ssl_cacert_file=${directory}/ca.pem`,
      `ssl_cert_file=${directory}/server.pem`,
      `ssl_privatekey_file=${directory}/server.key`,
      `ssl_client_certs=${options.requireClientCertificate ? 2 : 0}`,
      "ssl_use_adh=0",
      "ssl_version=TLSv1.2+",
    );
  }
  await Deno.writeTextFile(`${directory}/nrpe.cfg.in`, lines.join("\n") + "\n");
}
