import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import {
  answers,
  type DnsAnswer,
  encodeQuestion,
  parseAnswer,
} from "../../../lib/discovery/dns_message.ts";
import { hostName } from "../../support/arbitraries.ts";
import {
  aRecord,
  cnameRecord,
  soaRecord,
  srvRecord,
  TYPES,
  word,
  writeAnswer,
  type Written,
} from "../../support/dns_writer.ts";

function parsed(bytes: Uint8Array): DnsAnswer {
  const answer = parseAnswer(bytes);
  assert(answer.ok, answer.ok ? "" : answer.message);
  return answer.value;
}

const uint16 = fc.integer({ min: 0, max: 0xffff });

const record: fc.Arbitrary<Written> = fc.oneof(
  fc.tuple(hostName, fc.ipV4(), uint16).map(([name, ip, ttl]) => aRecord(name, ip, ttl)),
  fc.tuple(hostName, hostName).map(([name, target]) => cnameRecord(name, target)),
  fc.tuple(hostName, uint16, uint16, uint16, hostName).map((
    [name, priority, weight, port, target],
  ) => srvRecord(name, [priority, weight, port], target)),
  fc.tuple(hostName, uint16, uint16).map(([name, ttl, minimum]) => soaRecord(name, ttl, minimum)),
);

function expected({ name, type, ttlSeconds, data }: Written): unknown {
  const common = { name: name.toLowerCase(), ttlSeconds };
  if (!("head" in data)) {
    return type === TYPES.A
      ? { ...common, type: "A", address: data.join(".") }
      : { ...common, type: "SOA", minimumSeconds: data.slice(-2).reduce((a, b) => a * 256 + b) };
  }
  const target = data.name.toLowerCase();
  if (type === TYPES.CNAME) return { ...common, type: "CNAME", target };
  const [priority, weight, port] = [0, 2, 4].map((at) =>
    (data.head[at] ?? 0) * 256 + (data.head[at + 1] ?? 0)
  );
  return { ...common, type: "SRV", priority, weight, port, target };
}

Deno.test("parseAnswer() reads what servers write, names compressed or not", () => {
  const some = fc.array(record, { maxLength: 8 });
  fc.assert(fc.property(
    fc.record({ id: uint16, name: hostName, answers: some, authorities: some, additional: some }),
    fc.boolean(),
    ({ id, name, answers, authorities, additional }, isCompressed) => {
      const question = { name, type: TYPES.SRV };
      const sections = { answers, authorities, additional };
      const answer = parsed(writeAnswer({ id, question, ...sections }, isCompressed));
      assertEquals(answer, {
        id,
        code: 0,
        isTruncated: false,
        question: { name: name.toLowerCase(), type: TYPES.SRV },
        // Objects of both sides have the same keys in another order.
        answers: answers.map(expected) as DnsAnswer["answers"],
        authorities: authorities.map(expected) as DnsAnswer["authorities"],
        additional: additional.map(expected) as DnsAnswer["additional"],
      });
    },
  ));
});

Deno.test("parseAnswer() reads any bytes, and what was cut or damaged, in bounded time", () => {
  const whole = fc.array(record, { minLength: 1, maxLength: 20 }).map((answers) =>
    writeAnswer({ id: 1, question: { name: "a.example", type: 1 }, answers })
  );
  const damaged = fc.tuple(whole, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 5 }))
    .map(([bytes, changes]) => {
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      return bytes;
    });
  const cut = fc.tuple(whole, fc.nat()).map(([bytes, at]) => bytes.slice(0, at % bytes.length));
  fc.assert(fc.property(fc.oneof(fc.uint8Array(), damaged, cut), (bytes) => {
    const answer = parseAnswer(bytes);
    if (!answer.ok) assertMatch(answer.message, /^Cannot read the DNS message of \d+ bytes: /);
  }));
  fc.assert(fc.property(cut, (bytes) => assert(!parseAnswer(bytes).ok)));
});

Deno.test("parseAnswer() says what is wrong", () => {
  const header = (flags: number, questions = 0, answers = 0) =>
    [7, flags, questions, answers, 0, 0].flatMap(word);
  const cases: [number[], RegExp][] = [
    [[1, 2, 3], /of 3 bytes: it ends in the middle, at byte 3$/],
    [header(0), /it is a question, expected an answer$/],
    [header(0x8800), /it is of another kind than a look-up$/],
    [header(0x8000, 2), /it holds 2 questions, expected one$/],
    // Pointers to themselves, forwards, and between two names.
    [[...header(0x8000, 1), 0xc0, 12, 0, 1, 0, 1], /a name leads from byte 12 to byte 12$/],
    [[...header(0x8000, 1), 0xc0, 14, 0, 1, 0, 1], /a name leads from byte 12 to byte 14$/],
    [[...header(0x8000, 1), 1, 97, 0xc0, 12, 0, 1, 0, 1], /a name leads from byte 12 to byte 12$/],
    [[...header(0x8000, 1), 0x80, 1, 0, 1, 0, 1], /a label at byte 12 is of no known kind$/],
    [[...header(0x8000, 1), 0, 0, 1, 0, 3], /its question is of another class than IN$/],
    [[...header(0x8000, 1), 5, 97], /a name goes on behind its end$/],
    [
      [...header(0x8000, 1), ...Array.from({ length: 200 }, () => [1, 97]).flat(), 0, 0, 1, 0, 1],
      /a name at byte 12 is too long$/,
    ],
    [
      [...header(0x8000, 0, 1), 0, 0, 1, 0, 1, 0, 0, 0, 9, 0, 3, 1, 2, 3],
      /an address has 3 bytes$/,
    ],
    [
      [...header(0x8000, 0, 1), 0, 0, 5, 0, 1, 0, 0, 0, 9, 0, 2, 1, 97, 0],
      /the data of a record does not end at byte 25$/,
    ],
  ];
  for (const [bytes, message] of cases) {
    const answer = parseAnswer(Uint8Array.from(bytes));
    assert(!answer.ok);
    assertMatch(answer.message, message);
  }
});

Deno.test("parseAnswer() leaves out what is of no use here, and believes no TTL beyond 31 bits", () => {
  const answer = parsed(writeAnswer({
    id: 1,
    answers: [
      { name: "a", type: 16, ttlSeconds: 1, data: [3, 97, 98, 99] },
      aRecord("a", "192.0.2.1", 0xffff_fff0),
    ],
  }));
  assertEquals(answer.answers, [{ name: "a", ttlSeconds: 0, type: "A", address: "192.0.2.1" }]);
  assertEquals(answer.question, undefined);
  // A label may hold a dot, or bytes that no host has.
  const odd = [1, 0x8180, 0, 1, 0, 0].flatMap(word);
  const bytes = [...odd, 3, 65, 46, 0, 0, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 1, 2, 3, 4];
  assertEquals(parsed(Uint8Array.from(bytes)).answers[0]?.name, "a\\046\\000");
});

Deno.test("a truncated answer says that it is, whatever stands behind its question", () => {
  const { isTruncated, answers } = parsed(Uint8Array.of(
    ...writeAnswer({ id: 9, flags: 0x8380, question: { name: "a", type: 1 } }),
    7,
    7,
  ));
  assert(isTruncated);
  assertEquals(answers, []);
});

Deno.test("encodeQuestion() writes what parseAnswer() finds in the answer", () => {
  fc.assert(fc.property(uint16, hostName, fc.boolean(), (id, name, hasEdns) => {
    const asked = { name, type: "SRV" } as const;
    const query = encodeQuestion(id, asked, hasEdns);
    assert(query.ok);
    assertEquals(query.value.length, 12 + name.length + 2 + 4 + (hasEdns ? 11 : 0));
    const echo = query.value.slice(0, 12 + name.length + 2 + 4);
    echo[2] = 0x81;
    echo[11] = 0;
    const answer = parsed(echo);
    assertEquals(answer.id, id);
    assert(answers(answer, asked));
    assert(!answers(answer, { name: `x${name}`, type: "SRV" }));
    assert(!answers(answer, { name, type: "A" }));
  }));
  for (const name of ["", "a..b", "a\\046", `${"a".repeat(64)}.b`, "a.".repeat(130)]) {
    assert(!encodeQuestion(1, { name, type: "A" }, true).ok, name);
  }
});
