import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { type HttpFields, parseHttpAnswer, valueAt } from "../../../lib/load/http_answer.ts";
import { urlFor } from "../../../lib/load/http_json.ts";
import { backendAt } from "../../support/backends.ts";

const FIELDS: HttpFields = {
  load1: "load1",
  cores: "cores",
  memory_available_bytes: "memory_available_bytes",
  memory_total_bytes: "memory_total_bytes",
  cpu_pressure: "cpu_pressure",
  memory_pressure: "memory_pressure",
  sessions: "sessions",
};

function reasonOf(text: string, fields = FIELDS): string {
  const read = parseHttpAnswer(text, fields);
  assert(!read.ok, text);
  return read.message;
}

Deno.test("parseHttpAnswer() reads every figure, and what is missing is not there", () => {
  const text = JSON.stringify({
    load1: 0.34,
    cores: 8,
    memory_available_bytes: 1024,
    memory_total_bytes: 4096,
    cpu_pressure: 0.5,
    memory_pressure: 0,
    sessions: 3,
    others: [{}],
  });
  assertEquals(parseHttpAnswer(text, FIELDS), {
    ok: true,
    value: {
      load1: 0.34,
      cores: 8,
      memoryAvailableBytes: 1024,
      memoryTotalBytes: 4096,
      cpuPressure: 0.5,
      memoryPressure: 0,
      loginSessions: 3,
    },
  });
  assertEquals(parseHttpAnswer('{"load1":0,"cores":null}', FIELDS), {
    ok: true,
    value: { load1: 0 },
  });
});

Deno.test("parseHttpAnswer() finds figures by paths, and none that is off", () => {
  const text = '{"cpu":{"load":[1.5,2,3],"count":4},"sessions":"many"}';
  const fields = { ...FIELDS, load1: "cpu.load.0", cores: "cpu.count", sessions: "off" };
  assertEquals(parseHttpAnswer(text, fields), { ok: true, value: { load1: 1.5, cores: 4 } });
  for (
    const path of ["cpu.load.3", "cpu.load.-1", "cpu.load.length", "cpu.toString", "__proto__"]
  ) {
    assertEquals(valueAt(JSON.parse(text), path), undefined, path);
  }
});

Deno.test("parseHttpAnswer() says what was found instead", () => {
  assertEquals(reasonOf(""), "Cannot read an empty answer as JSON");
  assert(reasonOf("load1=3").startsWith('Cannot read "load1=3" as JSON: '));
  assertEquals(
    reasonOf('{"load":1,"x":2}'),
    'Cannot find the load: nothing stands at "load1", the answer has load, x',
  );
  assertEquals(
    reasonOf("[1,2]"),
    'Cannot find the load: nothing stands at "load1", the answer is a list of 2',
  );
  assertEquals(
    reasonOf("3"),
    'Cannot find the load: nothing stands at "load1", the answer is 3',
  );
  assertEquals(
    reasonOf('{"load1":"0.3"}'),
    'Cannot use "0.3" at "load1": expected a number from 0 to 10000000',
  );
  assertEquals(
    reasonOf('{"load1":1,"cpu_pressure":37.5}'),
    'Cannot use 37.5 at "cpu_pressure": expected a number from 0 to 1',
  );
  assertEquals(
    reasonOf('{"load1":1,"cores":0}'),
    'Cannot use 0 at "cores": expected a number from 0.001 to 8192',
  );
});

Deno.test("parseHttpAnswer() takes any text and any document", () => {
  const value = fc.oneof(fc.double(), fc.constantFrom(-1, 1e300, null, "1", true, [], {}));
  const document = fc.dictionary(fc.constantFrom(...Object.keys(FIELDS), "x"), value)
    .map((one) => JSON.stringify(one));
  fc.assert(fc.property(fc.oneof(document, fc.json(), fc.string()), (text) => {
    const read = parseHttpAnswer(text, FIELDS);
    if (!read.ok) return;
    for (const number of Object.values(read.value)) assert(Number(number) >= 0);
    const { cores = 1, cpuPressure = 0, memoryPressure = 0 } = read.value;
    assert(cores > 0 && cpuPressure <= 1 && memoryPressure <= 1);
  }));
});

Deno.test("urlFor() puts a backend into the URL", () => {
  const of = (template: string, ...backend: Parameters<typeof backendAt>) => {
    const url = urlFor(template, backendAt(...backend));
    return url.ok ? url.value.href : url.message;
  };
  assertEquals(of("http://{host}:9777/", "kelvin"), "http://kelvin:9777/");
  assertEquals(of("https://{host}:{port}/a", "2001:db8::1", 443), "https://[2001:db8::1]/a");
  assertEquals(of("http://m/{backend}?x", "kelvin"), "http://m/kelvin%3A22?x");
  const loadAddress = { transport: "tcp", host: "mgmt", port: 81 } as const;
  assertEquals(of("http://{host}:{port}/", "kelvin", 22, { loadAddress }), "http://mgmt:81/");
  assertEquals(
    of("http://{host}/", "fe80::1%eth0"),
    'Cannot ask [fe80::1%eth0]:22 at "http://[fe80::1%eth0]/": expected an http or https URL',
  );
});
