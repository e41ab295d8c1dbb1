// A pool that is scaled by a real command: it writes the list that the pool's discovery source reads.

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { echo, TcpPeer } from "../peers/tcp_peer.ts";
import { Balancer, runProgram } from "../support/balancer.ts";
import { TemporaryDirectory } from "../support/run_program.ts";

/** Adds the next of its servers to the list, or takes the last one off; with a file "broken" beside, it fails. */
const SCRIPT = `#!/bin/sh
cd "$(dirname "$0")" || exit
echo "$CLB_DIRECTION $CLB_WHY, $CLB_BACKENDS of $CLB_MIN to $CLB_MAX" >>said
cat >told
if [ -e broken ]; then echo "no more machines" >&2; exit 3; fi
case $CLB_DIRECTION in
  up) sed -n "$((CLB_BACKENDS + 1))p" servers | cat list - >new ;;
  down) sed '$d' list >new ;;
esac
mv new list
`;

Deno.test("a pool is scaled up and down by a command, within its bounds", async () => {
  await using folder = new TemporaryDirectory();
  await using peers = new AsyncDisposableStack();
  const addresses = Array.from({ length: 4 }, () => peers.use(new TcpPeer(echo)).address);
  const at = (name: string) => `${folder.path}/${name}`;
  await Deno.writeTextFile(at("scale"), SCRIPT, { mode: 0o755 });
  await Deno.writeTextFile(at("servers"), addresses.join("\n") + "\n");
  await Deno.writeTextFile(at("list"), addresses[0] + "\n");
  await using balancer = await Balancer.start({
    config: JSON.stringify({
      frontends: { main: { listen: "127.0.0.1:0" } },
      pools: {
        p: {
          strategy: "least_connections",
          load: { source: "none" },
          health: { probe: "none" },
          discovery: [{ source: "file", path: at("list") }],
          scale: {
            up_when: "sessions_per_backend >= 2",
            down_when: "sessions < 1",
            exec: [at("scale")],
            min: 1,
            max: 3,
            for: "0s",
            cooldown: "1s",
          },
        },
      },
    }),
  });
  const has = (count: number) =>
    balancer.until(
      `${count} backends`,
      ({ pools }) => pools[0]?.backends.filter(({ state }) => state !== "leaving").length === count,
    );
  const port = await balancer.port("main");
  const clients: Deno.Conn[] = [];
  const come = async (count: number) => {
    for (; count > 0; count--) clients.push(await Deno.connect({ port }));
  };
  // It begins with none, and has min backends already.
  await come(2);
  await has(2);
  await come(4);
  await has(3);
  // There it ends, although 9 sessions want more.
  await come(3);
  const full = await balancer.until(
    "the wish for a fourth",
    ({ pools }) => {
      const scale = pools[0]?.scale;
      return scale?.upSince !== null && scale?.restsUntil === null && scale?.running === null;
    },
  );
  const { backends, doneUp, doneDown, failed, last } = full.pools[0]?.scale ?? {};
  assertEquals([backends, doneUp, doneDown, failed, last?.direction], [3, 2, 0, 0, "up"]);
  const table = await runProgram(["status", "--admin-socket", balancer.adminSocket]);
  assertMatch(
    table.stdout,
    /^scale: 3 backends of 1 to 3, went up .* ago, up since sessions_per_backend >= 2 \(.*, but there it ends\), down when sessions < 1$/m,
  );
  const told: unknown = JSON.parse(await Deno.readTextFile(at("told")));
  assertEquals(told, {
    ...{ pool: "p", direction: "up", why: "sessions_per_backend >= 2" },
    ...{ backends: 2, usable: 2, min: 1, max: 3, cores: 2, free: null, sessions: 6, queued: 0 },
    members: addresses.slice(0, 2).map((backend) => ({
      ...{ backend, state: "unknown", admin: "enabled", usable: true },
      ...{ sessions: 3, cores: 1, free: null },
    })),
  });
  // A command that fails is said, and tried again.
  await Deno.writeTextFile(at("broken"), "");
  for (const client of clients) client.close();
  await balancer.logged(
    "cannot be scaled down: scale.exec: exit status 3: no more machines; the next try in 1s",
  );
  await balancer.until(
    "the failure",
    ({ pools }) => pools[0]?.scale?.failure === "exit status 3: no more machines",
  );
  await Deno.remove(at("broken"));
  await has(1);
  const said = await Deno.readTextFile(at("said"));
  assertStringIncludes(said, "up sessions_per_backend >= 2, 1 of 1 to 3\n");
  assertStringIncludes(said, "down sessions < 1, 2 of 1 to 3\n");
});
