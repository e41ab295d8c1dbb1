// The real program sends clients to pools by network and by country, from databases as they are made
// and mangled in practice.

import { assertEquals, assertStringIncludes } from "@std/assert";
import { type DatabaseRecord, writeDatabase } from "../peers/country_database.ts";
import { greetThenEcho, TcpPeer } from "../peers/tcp_peer.ts";
import { Balancer, runProgram } from "../support/balancer.ts";
import { heardFrom } from "../support/loopback_client.ts";
import { requirePeer } from "../support/require_peer.ts";
import { TemporaryDirectory } from "../support/run_program.ts";
import { waitFor } from "../support/wait_for.ts";

const WRITER = requirePeer("libmaxmind-db-writer-perl");

function land(code: string): DatabaseRecord {
  return { country: { iso_code: code }, registered_country: { iso_code: "US" } };
}

interface Pools {
  readonly own: string;
  readonly lab: string;
  readonly alps: string;
}

function configOf({ own, lab, alps }: Pools, database: string, lands = "[CH, AT]"): string {
  const pool = (address: string) =>
    `{ backends: ["${address}"], load: { source: none }, health: { probe: none } }`;
  return `frontends:
  ssh:
    listen: "127.0.0.1:0"
    pool: own
    location:
      - { networks: [127.0.0.2, "127.0.0.16/28"], pool: lab }
      - { countries: ${lands}, pool: alps }
location_database: ${database}
pools:
  own: ${pool(own)}
  lab: ${pool(lab)}
  alps: ${pool(alps)}
`;
}

for (const engine of ["splice", "portable"] as const) {
  Deno.test({
    ...WRITER,
    name:
      `${engine}: clients go where their network or country leads; a reload reads the database anew`,
    fn: async () => {
      await using folder = new TemporaryDirectory();
      await using own = new TcpPeer(greetThenEcho("o"));
      await using lab = new TcpPeer(greetThenEcho("l"));
      await using alps = new TcpPeer(greetThenEcho("a"));
      const database = `${folder.path}/countries.mmdb`;
      const config = configOf({
        own: own.address,
        lab: lab.address,
        alps: alps.address,
      }, database);
      await writeDatabase(database, [
        ["127.0.0.0/29", land("CH")],
        ["127.0.0.4/32", land("DE")],
        ["127.0.0.6/31", { registered_country: { iso_code: "AT" } }],
      ]);
      await using balancer = await Balancer.start({ config, flags: ["--engine", engine] });
      assertStringIncludes(
        String((await balancer.logged("frontend ssh listens")).message),
        "pool own, 1 backend, least_load; by location also lab, alps",
      );
      const port = await balancer.port("ssh");
      const heard = async () => {
        let letters = "";
        for (const last of [1, 2, 3, 4, 6, 9, 17]) {
          letters += await heardFrom(`127.0.0.${last}`, port);
        }
        return letters;
      };
      assertEquals(await heard(), "alaoaol");
      await waitFor("the access records", () => balancer.records("opened")[6]);
      assertEquals(
        balancer.records("opened").map(({ pool }) => String(pool)[0]).join(""),
        "alaoaol",
      );

      await writeDatabase(database, [["127.0.0.8/29", land("CH")]]);
      assertStringIncludes(
        String((await balancer.reload(config)).message),
        ": location_database has other ranges",
      );
      assertEquals(await heard(), "olooo" + "al");
      await balancer.logged(`location: "${database}" has no address in AT`);

      // A file that was cut off on its way here must not move anybody.
      const whole = await Deno.readFile(database);
      await Deno.writeFile(database, whole.subarray(0, whole.length / 2));
      const refused = await balancer.reload(config);
      assertEquals(refused.event, "reload_refused");
      assertStringIncludes(
        String(refused.message),
        `lb.conf:8:20: location_database: Cannot use "${database}" as a database of countries: ` +
          "it is no MaxMind DB file, or a damaged one",
      );
      assertEquals(await heard(), "olooo" + "al");
      const { reload } = await balancer.status();
      assertEquals(reload.count, 1);

      // Without countries the file does not matter.
      assertEquals(
        (await balancer.reload(config.replace(/.*CH.*\n/, "").replace(/ {2}alps.*\n/, "")))
          .event,
        "reloaded",
      );
      assertEquals(await heard(), "olooo" + "ol");
    },
  });
}

Deno.test({
  ...WRITER,
  name: "check and run refuse a database that does not tell countries",
  fn: async () => {
    await using folder = new TemporaryDirectory();
    const file = `${folder.path}/lb.conf`;
    const database = `${folder.path}/countries.mmdb`;
    const address = "127.0.0.1:1";
    const pools = { own: address, lab: address, alps: address };
    await Deno.writeTextFile(file, `${configOf(pools, database)}user: compute-lb-no-such-user\n`);
    const checkIt = () => runProgram(["check", "-c", file, "--effective"]);
    const refused = async (why: string) => {
      const { code, stderr } = await checkIt();
      assertEquals(code, 2);
      const place = `${file}:8:20: location_database: `;
      assertStringIncludes(
        stderr,
        `${place}Cannot use "${database}" as a database of countries: ${why}`,
      );
      // In one run with what else is wrong.
      assertStringIncludes(stderr, ": user: Cannot become user");
      assertStringIncludes(stderr, "2 errors");
    };
    await refused("there is no such file\n");
    await Deno.mkdir(database);
    await refused("it is no regular file\n");
    await Deno.remove(database);
    await Deno.writeTextFile(database, "192.0.2.0/24,CH\n");
    await refused("it is no MaxMind DB file, or a damaged one (");
    await writeDatabase(database, [["192.0.2.0/24", { autonomous_system: "64496" }]]);
    await refused('it knows no countries (its type is "Test-Country")\n');

    await Deno.writeTextFile(file, configOf(pools, database));
    const started = await runProgram(["run", "-c", file]);
    assertEquals(started.code, 2);
    assertStringIncludes(started.stderr, "it knows no countries");

    await writeDatabase(database, [["192.0.2.0/24", land("CH")]]);
    const { code, stdout, stderr } = await checkIt();
    assertEquals([code, stderr], [
      0,
      `warning: location: "${database}" has no address in AT\n`,
    ]);
    assertStringIncludes(stdout, `location_database: ${database}\n`);
  },
});
