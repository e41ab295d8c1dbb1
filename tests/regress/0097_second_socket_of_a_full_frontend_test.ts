// While clients waited at the first socket of a full frontend, nobody who waited at another came in (splice).

import { assert } from "@std/assert";
import { Balancer } from "../support/balancer.ts";
import { receive } from "../support/bytes.ts";
import { greeter } from "../support/greeters.ts";
import { configOf } from "../support/running_config.ts";
import { within } from "../support/wait_for.ts";

const OTHERS = 8;

for (const engine of ["splice", "portable"]) {
  for (const full of [0, 1]) {
    Deno.test(`${engine}: socket ${full} of a full frontend leaves the other its turns`, async () => {
      await using backend = greeter(1);
      await using balancer = await Balancer.start({
        config: configOf([backend.address], { frontend: ", max_connections: 1" })
          .replace('"127.0.0.1:0"', '["127.0.0.1:0", "127.0.0.1:0"]'),
        flags: ["--engine", engine],
      });
      const { frontends } = await balancer.status();
      const ports = frontends[0]?.listen.map((one) => Number(one.slice(one.lastIndexOf(":") + 1)));
      const connect = (socket: number) =>
        Deno.connect({ hostname: "127.0.0.1", port: ports?.[socket] ?? 0 });
      const session = await connect(full);
      await receive(session, 1);
      let others = 0;
      /** Comes in, and makes room for the next. */
      const wait = async (conn: Deno.Conn) => {
        await receive(conn, 1);
        conn.close();
      };
      const waiting = [];
      for (let i = 0; i < OTHERS; i++) {
        waiting.push(wait(await connect(full)).then(() => others++));
      }
      let before = OTHERS;
      waiting.push(wait(await connect(1 - full)).then(() => before = others));
      session.close();
      await within("all who wait", Promise.all(waiting));
      // Each worker gives the sockets turns of its own.
      assert(before < OTHERS / 2, `${before} of ${OTHERS} came in before`);
    });
  }
}
