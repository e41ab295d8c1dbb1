// The real dnsmasq of this machine as a name server on a port of its own, for zones of the test.

import { peerProgram } from "../support/require_peer.ts";
import { KeptServer } from "./kept_server.ts";

export class Dnsmasq extends KeptServer {
  #records: readonly string[] = [];

  /** Nobody serves yet. */
  constructor() {
    super({
      name: "dnsmasq",
      command: (_, host, port) => [
        peerProgram("dnsmasq"),
        ...["--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--no-resolv"],
        ...["--no-hosts", `--listen-address=${host}`, "--bind-interfaces"],
        ...[`--port=${port}`, "--local-ttl=1", "--local=/example/"],
        ...this.#records.map((record) => `--${record}`),
      ],
      isReady: async (hostname, port) => {
        (await Deno.connect({ hostname, port })).close();
        return true;
      },
    });
  }

  /** Starts one that knows these records, and that there is nothing else in the domain "example". */
  static async start(...records: readonly string[]): Promise<Dnsmasq> {
    return await KeptServer.started(() => {
      const dnsmasq = new Dnsmasq();
      dnsmasq.#records = records;
      return dnsmasq;
    });
  }

  /** Starts anew with other records: "host-record=hoek.example,192.0.2.1". */
  async serve(...records: readonly string[]): Promise<void> {
    this.#records = records;
    await this.start();
  }
}
