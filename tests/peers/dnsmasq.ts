// The real dnsmasq of this machine as a name server on a loopback port of its own, for zones of the test.

import { endTree, freePort, signal } from "../support/processes.ts";
import { peerProgram } from "../support/require_peer.ts";
import type { SeparateNetwork } from "../support/separate_network.ts";
import { waitFor } from "../support/wait_for.ts";

export class Dnsmasq implements AsyncDisposable {
  #process: Deno.ChildProcess | undefined;

  private constructor(
    readonly host: string,
    readonly port: number,
    readonly network?: SeparateNetwork,
  ) {}

  /** Nobody serves yet. */
  static onFreePort(): Dnsmasq {
    return new Dnsmasq("127.0.0.1", freePort());
  }

  /** The same in a network of its own. */
  static in(network: SeparateNetwork): Dnsmasq {
    return new Dnsmasq(network.address, 53, network);
  }

  /** Starts one that knows these records, and that there is nothing else in the domain "example". */
  static async start(...records: readonly string[]): Promise<Dnsmasq> {
    const dnsmasq = Dnsmasq.onFreePort();
    await dnsmasq.serve(...records);
    return dnsmasq;
  }

  get address(): string {
    return `${this.host}:${this.port}`;
  }

  /** Starts anew with other records: "host-record=hoek.example,192.0.2.1". */
  async serve(...records: readonly string[]): Promise<void> {
    await this.kill();
    const command = [
      peerProgram("dnsmasq"),
      ...["--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--no-resolv"],
      ...["--no-hosts", `--listen-address=${this.host}`, "--bind-interfaces"],
      ...[`--port=${this.port}`, "--local-ttl=1", "--local=/example/"],
      ...records.map((record) => `--${record}`),
    ];
    const [program = "", ...args] = this.network?.command(...command) ?? command;
    const process = new Deno.Command(program, {
      args,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    this.#process = process;
    await waitFor("dnsmasq to answer", async () => {
      (await Deno.connect({ hostname: this.host, port: this.port })).close();
      return true;
    });
  }

  /** It is there and says nothing more. */
  stop(): void {
    if (this.#process !== undefined) signal(this.#process.pid, "SIGSTOP");
  }

  go(): void {
    if (this.#process !== undefined) signal(this.#process.pid, "SIGCONT");
  }

  async kill(): Promise<void> {
    this.go();
    if (this.#process !== undefined) await endTree(this.#process);
    this.#process = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}
