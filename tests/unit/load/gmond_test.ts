import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { type GmondHost, GmondReader } from "../../../lib/asking/gmond.ts";
import { findHost, sampleOf } from "../../../lib/load/gmond_hosts.ts";
import { XmlScanner } from "../../../lib/asking/gmond_xml.ts";

type Found = readonly (readonly [element: string, attributes: Readonly<Record<string, string>>])[];

/** What a scanner finds in pieces of text: an element closed is one with "/" before its name. */
function scan(...pieces: readonly string[]): Found | string {
  const found: [string, Record<string, string>][] = [];
  const scanner = new XmlScanner({
    open: (element, attributes) => found.push([element, Object.fromEntries(attributes)]),
    close: (element) => found.push([`/${element}`, {}]),
  });
  for (const piece of pieces) scanner.feed(piece);
  const end = scanner.end();
  return end.ok ? found : end.message;
}

Deno.test("XmlScanner finds elements and attributes between what it passes over", () => {
  const text =
    '<?xml version="1.0"?>\n<!DOCTYPE A [\n <!ELEMENT A (B)*>\n <!ATTLIST A N CDATA>\n]>\n' +
    '<!-- <A> --><A N="1" M="x&lt;&amp;&#65;&#x42;&gt;"><B/>\n<B N="" ></B >\n</A>\n';
  assertEquals(scan(text), [
    ["A", { N: "1", M: "x<&AB>" }],
    ["B", {}],
    ["/B", {}],
    ["B", { N: "" }],
    ["/B", {}],
    ["/A", {}],
  ]);
});

Deno.test("XmlScanner takes values that nobody has escaped, as gmond writes them", () => {
  assertEquals(scan('<C NAME="te<s>t & "q" R&D; \xe9" URL=""></C>'), [
    ["C", { NAME: 'te<s>t & "q" R&D; \xe9', URL: "" }],
    ["/C", {}],
  ]);
});

Deno.test("XmlScanner says where and why it stops", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["", "there is no element"],
    ["  hello", 'Cannot read "hello" at byte 2 of the XML: expected "<"'],
    ["<A>text</A>", 'at byte 3 of the XML: expected "<"'],
    ["<A></B>", "nothing of that name is open"],
    ["<A/><B/>", "expected the end"],
    ["<A", "it ends in the middle"],
    ['<A N="1', "it ends in the middle"],
    ["<A><B/>", "it ends in the middle"],
    ['<A N="1" N="2"/>', "N stands twice"],
    ["<A N='1'/>", "expected attributes"],
    ["<A N=1/>", "expected attributes"],
    ["< A/>", "expected an element"],
    ["<A/ >", 'expected "/>"'],
    ["</>", "expected a closing tag"],
    ["<A>".repeat(33), "it is nested too deep"],
    [`<A N="${"x".repeat(70_000)}`, "a tag is too long"],
  ];
  for (const [text, message] of cases) assertStringIncludes(String(scan(text)), message, text);
});

/** Values without what would end them: a quote behind which a tag could go on or end. */
const value = fc.string({
  unit: fc.constantFrom("a", " ", "<", ">", '"', "&", "=", "/", "\xe9", "N", ";", "&lt;"),
  maxLength: 12,
}).filter((text) => !/"\s*(>|\/>|$)|"\s+[A-Za-z0-9_]+=("|$)/.test(text) && !/&lt;/.test(text));
const attributes = fc.dictionary(fc.stringMatching(/^[A-Z_]{1,4}$/), value, {
  maxKeys: 3,
  noNullPrototype: true,
});

interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly inner: readonly Element[];
}

const element: fc.Memo<Element> = fc.memo((depth) =>
  fc.record({
    name: fc.stringMatching(/^[A-Z]{1,3}$/),
    attributes,
    inner: depth > 1 ? fc.array(element(depth - 1), { maxLength: 3 }) : fc.constant([]),
  })
);

function write({ name, attributes, inner }: Element): string {
  const written = Object.entries(attributes).map(([key, text]) => ` ${key}="${text}"`).join("");
  return inner.length === 0
    ? `<${name}${written}/>`
    : `<${name}${written}>\n${inner.map(write).join("\n")}</${name}>`;
}

function expected({ name, attributes, inner }: Element): Found {
  return [[name, attributes], ...inner.flatMap(expected), [`/${name}`, {}]];
}

/** Cuts a text where the numbers say. */
function cut(text: string, at: readonly number[]): string[] {
  const places = [0, ...at.map((place) => place % (text.length + 1)), text.length]
    .sort((a, b) => a - b);
  return places.slice(1).map((end, index) => text.slice(places[index], end));
}

const cuts = fc.array(fc.nat({ max: 10_000 }), { maxLength: 8 });

Deno.test("XmlScanner finds in pieces what was written, wherever it is cut", () => {
  fc.assert(
    fc.property(element(4), cuts, (root, at) => {
      assertEquals(scan(...cut(write(root), at)), expected(root));
    }),
    { numRuns: 500 },
  );
});

Deno.test("XmlScanner takes any text, and cuts make no difference", () => {
  const piece = fc.oneof(
    fc.constantFrom(
      "<A",
      ">",
      "/>",
      "</A>",
      ' N="',
      '"',
      "<!",
      "<!--",
      "-->",
      "[",
      "]>",
      "<?",
      "?>",
    ),
    fc.string({ maxLength: 3 }),
  );
  const text = fc.array(piece, { maxLength: 20 }).map((all) => all.join(""));
  fc.assert(
    fc.property(text, cuts, (whole, at) => {
      const found = scan(...cut(whole, at));
      const once = scan(whole);
      assertEquals(typeof found, typeof once);
      if (typeof once !== "string") assertEquals(found, once);
    }),
    { numRuns: 2000 },
  );
});

const GANGLIA = '<GANGLIA_XML VERSION="3.7.2" SOURCE="gmond"><GRID NAME="g"><CLUSTER NAME="c">' +
  '<HOST NAME="kelvin.example" IP="10.9.8.7" TN="0" TMAX="20" DMAX="0">' +
  '<METRIC NAME="load_one" VAL="4.49" TYPE="float" UNITS=" " TN="12" TMAX="70" DMAX="0"/>' +
  '<METRIC NAME="cpu_num" VAL="24" TYPE="uint16" TN="900" TMAX="1200" DMAX="0"/>' +
  '<METRIC NAME="mem_total" VAL="4096" TN="900" TMAX="1200" DMAX="0"/>' +
  '<METRIC NAME="mem_free" VAL="1000" TN="1" TMAX="180" DMAX="0">' +
  '<EXTRA_DATA><EXTRA_ELEMENT NAME="GROUP" VAL="memory"/></EXTRA_DATA></METRIC>' +
  '<METRIC NAME="mem_cached" VAL="20" TN="1" TMAX="180" DMAX="0"/>' +
  '<METRIC NAME="mem_buffers" VAL="4" TN="1" TMAX="180" DMAX="0"/>' +
  '<METRIC NAME="os_name" VAL="Linux" TYPE="string" TN="1" TMAX="1200" DMAX="0"/>' +
  "</HOST></CLUSTER></GRID></GANGLIA_XML>";

function hostsOf(text: string): readonly GmondHost[] {
  const reader = new GmondReader();
  reader.feed(text);
  const hosts = reader.end();
  assert(hosts.ok, hosts.ok ? "" : hosts.message);
  return hosts.value;
}

function sampled(text: string): unknown {
  const [host] = hostsOf(text);
  assert(host !== undefined);
  const sample = sampleOf(host, 100_000);
  return sample.ok ? sample.value : sample.message;
}

Deno.test("sampleOf() gives a host's load with its age, its cores and its memory", () => {
  assertEquals(sampled(GANGLIA), {
    load1: 4.49,
    cores: 24,
    memoryAvailableBytes: 1024 * 1024,
    memoryTotalBytes: 4096 * 1024,
    takenAtMs: 88_000,
  });
  const told = '<METRIC NAME="mem_available" VAL="7" TN="1" TMAX="180"/><METRIC NAME="mem_free"';
  assertEquals(sampled(GANGLIA.replace('<METRIC NAME="mem_free"', told)), {
    load1: 4.49,
    cores: 24,
    memoryAvailableBytes: 7 * 1024,
    memoryTotalBytes: 4096 * 1024,
    takenAtMs: 88_000,
  });
});

Deno.test("sampleOf() leaves out what is old, and says so of the load and the host", () => {
  assertEquals(
    sampled(GANGLIA.replaceAll('TN="900"', 'TN="4801"').replaceAll('TN="1" ', 'TN="721" ')),
    {
      load1: 4.49,
      takenAtMs: 88_000,
    },
  );
  assertEquals(
    sampled(GANGLIA.replace('TN="12"', 'TN="281"')),
    "load_one of kelvin.example is 4m41s old",
  );
  assertEquals(
    sampled(GANGLIA.replace('TN="12" TMAX="70" DMAX="0"', 'TN="12" TMAX="70" DMAX="10"')),
    "load_one of kelvin.example is 12s old",
  );
  assertEquals(
    sampled(GANGLIA.replace('TN="0" TMAX="20"', 'TN="81" TMAX="20"')),
    "gmond has not heard of kelvin.example for 1m21s, more than 4 times its 20s: " +
      "no load is taken from it",
  );
  assertEquals(
    sampled(GANGLIA.replace("4.49", "nan")),
    "gmond knows no load_one of kelvin.example: does it collect it?",
  );
});

Deno.test("findHost() finds by name and address, whole names first", () => {
  const host = (name: string, ip: string): GmondHost => ({
    cluster: "test",
    ...{ name, ip, tn: 0, tmax: 20, dmax: 0 },
    metrics: new Map(),
  });
  const hosts = [
    host("a.one.example", "10.0.0.1"),
    host("a.two.example", "10.0.0.2"),
    host("b", "2001:db8::1"),
    host("c.one.example", "10.0.0.4"),
  ];
  const find = (...wanted: string[]) => {
    const found = findHost(hosts, wanted, true);
    return found.ok ? found.value.ip : found.message;
  };
  assertEquals(find("a.two.example"), "10.0.0.2");
  assertEquals(find("2001:DB8::1"), "2001:db8::1");
  assertEquals(find("nowhere", "c"), "10.0.0.4");
  assertEquals(find("b.some.example"), "2001:db8::1");
  const known = "gmond knows 4: a.one.example, a.two.example, b, c.one.example";
  // Two have that label; another domain is another host; an address has no label.
  assertEquals(find("a"), `Cannot find a: ${known}`);
  assertEquals(find("c.two.example"), `Cannot find c.two.example: ${known}`);
  assertEquals(find("10.0.0.9"), `Cannot find 10.0.0.9: ${known}`);
  const one = hosts.slice(0, 1);
  assertEquals(findHost(one, ["other"], true).ok, true);
  assertEquals(findHost(one, ["other"], false).ok, false);
  assertEquals(findHost([], ["other"], true), {
    ok: false,
    message: "Cannot find other: gmond knows no host",
  });
});
