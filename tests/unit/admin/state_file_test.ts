import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { NO_ADMINISTRATION, ordered } from "../../../lib/core/administration/administration.ts";
import { StateFile, StateInUse } from "../../../lib/admin/state_file.ts";
import { readState, writeState } from "../../../lib/admin/state_format.ts";
import { statePlace } from "../../../lib/admin/state_place.ts";
import { TemporaryDirectory } from "../../support/run_program.ts";
import { anyOrder } from "../../support/orders.ts";

const DRAINED = ordered(NO_ADMINISTRATION, {
  kind: "set",
  pool: "p",
  backend: "a:22",
  said: { by: "alice", atMs: 1_700_000_000_000, reason: "kernel" },
  state: "draining",
  deadlineMs: 1_700_000_100_000,
});

Deno.test("properties: what is written of orders reads back the same", () => {
  fc.assert(
    fc.property(fc.array(anyOrder, { maxLength: 20 }), (orders) => {
      const administration = orders.reduce(ordered, NO_ADMINISTRATION);
      assertEquals(readState(writeState(administration)), { ok: true, value: administration });
    }),
  );
});

Deno.test("readState() says what is wrong, whatever it is given", () => {
  const text = writeState(DRAINED);
  const faultOf = (text: string) => {
    const read = readState(text);
    return read.ok ? "none" : `${read.faults[0].field}: ${read.faults[0].message}`;
  };
  assertStringIncludes(faultOf(text.slice(0, -3)), ": Cannot read it: expected JSON");
  assertStringIncludes(faultOf("{}"), "format: Cannot read nothing here");
  assertStringIncludes(faultOf(text.replace('"version": 1', '"version": 2')), "a later compute-lb");
  assertStringIncludes(
    faultOf(text.replace("draining", "gone")),
    'backends[0].state.state: Cannot read "gone" as a state',
  );
  fc.assert(fc.property(fc.json(), (json) => assert(!readState(json).ok)));
});

Deno.test("a state file keeps orders, for one process at a time", async () => {
  await using folder = new TemporaryDirectory();
  const path = `${folder.path}/state.json`;
  {
    const { file, administration, warning } = await StateFile.open(path);
    using _ = file;
    assertEquals([administration, warning], [NO_ADMINISTRATION, undefined]);
    await file.save(DRAINED);
    await assertRejects(() => StateFile.open(path), StateInUse, `pid ${Deno.pid}`);
  }
  const again = await StateFile.open(path);
  assertEquals(again.administration, DRAINED);
  again.file[Symbol.dispose]();
  assertEquals([...Deno.readDirSync(folder.path)].map(({ name }) => name).sort(), [
    "state.json",
    "state.json.lock",
  ]);
  assertEquals((await Deno.stat(path)).mode! & 0o777, 0o600);
});

Deno.test("a state file that is damaged is kept aside, and said", async () => {
  await using folder = new TemporaryDirectory();
  const path = `${folder.path}/state.json`;
  await Deno.writeTextFile(path, writeState(DRAINED).slice(0, 100));
  const { file, administration, warning } = await StateFile.open(path);
  using _ = file;
  assertEquals(administration, NO_ADMINISTRATION);
  assertStringIncludes(warning ?? "", `the file is kept as ${path}.damaged`);
  assertEquals((await Deno.readTextFile(`${path}.damaged`)).length, 100);
  await file.save(DRAINED);
});

Deno.test("a state file that is not UTF-8 is damaged: names in it may be others", async () => {
  await using folder = new TemporaryDirectory();
  const path = `${folder.path}/state.json`;
  const bytes = new TextEncoder().encode(writeState(DRAINED).replace("kernel", "#ernel"));
  bytes[bytes.indexOf("#".charCodeAt(0))] = 0xfc;
  await Deno.writeFile(path, bytes);
  const { file, administration, warning } = await StateFile.open(path);
  using _ = file;
  assertEquals(administration, NO_ADMINISTRATION);
  assertStringIncludes(warning ?? "", `are lost: Cannot read it: expected UTF-8; the file is kept`);
  assertEquals(await Deno.readFile(`${path}.damaged`), bytes);
});

Deno.test("what cannot be locked is said with its file", async () => {
  await using folder = new TemporaryDirectory();
  const path = `${folder.path}/state.json`;
  await new Deno.Command("mkfifo", { args: [`${path}.lock`] }).output();
  await assertRejects(() => StateFile.open(path), Error, `Cannot keep orders in ${path}: `);
});

Deno.test("what cannot be kept is said, and what was kept before stays", async () => {
  await using folder = new TemporaryDirectory();
  const path = `${folder.path}/state.json`;
  const { file } = await StateFile.open(path);
  using _ = file;
  await file.save(DRAINED);
  assertEquals(await file.trial(), undefined);
  const before = await Deno.readTextFile(path);
  // In the place of the draft stands what cannot be written.
  await Deno.mkdir(`${path}.new/inside`, { recursive: true });
  await assertRejects(() => file.save(NO_ADMINISTRATION), Error, `Cannot keep it in ${path}: `);
  assert(await file.trial() !== undefined);
  assertEquals(await Deno.readTextFile(path), before);
});

Deno.test("a place is taken without being asked for by the service alone", () => {
  const place = (stateDirectory: string | undefined, isService: boolean) =>
    statePlace({ stateDirectory, isService });
  assertEquals(place(undefined, false), undefined);
  assertEquals(place(undefined, true), "/var/lib/compute-lb/state.json");
  assertEquals(place("/var/lib/a:/var/lib/b", false), "/var/lib/a/state.json");
  assertEquals(place("relative", false), undefined);
});
