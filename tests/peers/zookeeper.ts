// The real ZooKeeper of this machine, one server alone with a small heap, and a session by which tests write to it.

import { closeOnAbort } from "../../lib/core/serving/close_on_abort.ts";
import { juteMessage, JuteReader, type Part } from "../../lib/discovery/jute.ts";
import { Deadline } from "../support/deadline.ts";
import { freePort } from "../support/processes.ts";
import { peerProgram } from "../support/require_peer.ts";
import { KeptServer } from "./kept_server.ts";

/** Types of requests. */
const CREATE = 1;
const DELETE = 2;
const SET_DATA = 5;
const SET_ACL = 7;
const AUTH = 100;
const ANYBODY: readonly Part[] = [1, 31, "world", "anyone"];
const NODE_EXISTS = -110;

export class ZooKeeper extends KeptServer {
  /** Where it speaks TLS, if it does. */
  readonly securePort = freePort();

  /** @param certificates a folder as makeCertificates makes it: it speaks TLS, too, and asks who we are. */
  constructor(certificates?: string) {
    const read = (name: string) => Deno.readTextFileSync(`${certificates}/${name}`);
    super({
      name: "ZooKeeper",
      command: (folder, host, port) => {
        Deno.writeTextFileSync(
          `${folder}/zoo.cfg`,
          [
            `dataDir=${folder}/data`,
            `clientPort=${port}`,
            `clientPortAddress=${host}`,
            "tickTime=500",
            "admin.enableServer=false",
            "4lw.commands.whitelist=srvr",
            ...(certificates === undefined ? [] : [
              `secureClientPort=${this.securePort}`,
              `secureClientPortAddress=${host}`,
              "serverCnxnFactory=org.apache.zookeeper.server.NettyServerCnxnFactory",
              `ssl.keyStore.location=${folder}/both.pem`,
              `ssl.trustStore.location=${certificates}/ca.pem`,
              "ssl.hostnameVerification=false",
            ]),
            "",
          ].join("\n"),
        );
        if (certificates !== undefined) {
          Deno.writeTextFileSync(`${folder}/both.pem`, read("server.pem") + read("server.key"));
        }
        return [
          peerProgram("java"),
          ...["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx64m", "-Dzookeeper.forceSync=no"],
          // Debian leaves a part of netty out of ZooKeeper's class path.
          ...["-cp", `${peerProgram("zookeeper")}:/usr/share/java/netty-codec.jar`],
          "org.apache.zookeeper.server.ZooKeeperServerMain",
          `${folder}/zoo.cfg`,
        ];
      },
      isReady: async (hostname, port) => {
        using connection = await Deno.connect({ hostname, port });
        // One that asks while ZooKeeper begins may wait for its answer for ever.
        using late = new Deadline(1000);
        using _interrupt = closeOnAbort(late.signal, connection);
        await connection.write(new TextEncoder().encode("srvr"));
        const answer = await new Response(connection.readable).text();
        return answer.includes("Mode: standalone");
      },
    });
  }

  /** Makes nodes, or sets what stands in them. */
  async put(nodes: Readonly<Record<string, string>>): Promise<void> {
    await this.#session(async (ask) => {
      for (const [path, data] of Object.entries(nodes)) {
        const error = await ask(CREATE, path, data, ...ANYBODY, 0);
        if (error === NODE_EXISTS) await ask(SET_DATA, path, data, -1);
      }
    });
  }

  async delete(...paths: readonly string[]): Promise<void> {
    await this.#session(async (ask) => {
      for (const path of paths) await ask(DELETE, path, -1);
    });
  }

  /** Lets only this user read a node: "user:password". */
  async reserve(path: string, login: string): Promise<void> {
    await this.#session(async (ask) => {
      await ask(AUTH, 0, "digest", login);
      // Whoever is logged in (scheme "auth").
      await ask(SET_ACL, path, 1, 31, "auth", "", -1);
    });
  }

  /** Asks one thing after the other; each gives the answer's error, 0 for none. */
  async #session(
    use: (ask: (type: number, ...parts: readonly Part[]) => Promise<number>) => Promise<void>,
  ): Promise<void> {
    using connection = await Deno.connect({ hostname: this.host, port: this.port });
    const reader = connection.readable.getReader({ mode: "byob" });
    const read = async (length: number) => {
      const { value } = await reader.read(new Uint8Array(length), { min: length });
      if (value?.length !== length) throw new Error("ZooKeeper has closed");
      return new JuteReader(value);
    };
    const told = async (...parts: readonly Part[]) => {
      await connection.write(juteMessage(parts));
      return await read((await read(4)).int());
    };
    await told(0, 0n, 10_000, 0n, new Uint8Array(16), false);
    let number = 0;
    await use(async (type, ...parts) => {
      const answer = await told(type === AUTH ? -4 : ++number, type, ...parts);
      answer.int();
      answer.long();
      return answer.int();
    });
    await told(0, -11);
    reader.releaseLock();
  }
}
