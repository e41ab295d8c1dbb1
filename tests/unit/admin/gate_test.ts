import { assert, assertEquals } from "@std/assert";
import { Gate } from "../../../lib/admin/gate.ts";
import { Token } from "../../../lib/admin/token.ts";

const TOKEN = "0123456789abcdef";
const OPEN = true;
const CLOSED = false;

async function gate(token: string | undefined = TOKEN) {
  const wrong: string[] = [];
  const made = new Gate({
    names: ["LB.example"],
    token: token === undefined ? undefined : await Token.of(token),
    onWrongToken: () => wrong.push("wrong"),
  });
  /** The status and the error of a refusal; undefined: it was let through. */
  const ask = async (
    fields: Readonly<Record<string, string>>,
    isOpen: boolean,
    method = "GET",
  ) => {
    const visitor = { method, fields: new Map(Object.entries({ host: "127.0.0.1", ...fields })) };
    const refusal = await made.refusal(visitor, isOpen);
    if (refusal === undefined) return undefined;
    assert(typeof refusal.body === "string");
    return { status: refusal.status, ...JSON.parse(refusal.body), fields: refusal.fields };
  };
  return { gate: made, ask, wrong };
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

Deno.test("without the token one may read what is open, with it everything", async () => {
  const { ask, wrong } = await gate();
  assertEquals(await ask({}, OPEN), undefined);
  assertEquals(await ask(bearer(TOKEN), CLOSED), undefined);
  assertEquals(await ask({ authorization: `bearer  ${TOKEN}` }, CLOSED), undefined);
  const missing = await ask({}, CLOSED);
  assertEquals([missing.status, missing.fields["WWW-Authenticate"]], [
    401,
    'Bearer realm="compute-lb"',
  ]);
  assertEquals(wrong, []);
  for (
    const given of [
      `Bearer ${TOKEN}0`,
      `Bearer ${TOKEN.slice(1)}`,
      "Bearer",
      "Bearer ",
      `Basic ${TOKEN}`,
      `Bearer ${TOKEN}, Bearer ${TOKEN}`,
      TOKEN,
      "",
    ]
  ) {
    // A token that is wrong is told even where none is needed.
    const refused = await ask({ authorization: given }, OPEN);
    assertEquals([given, refused.status], [given, 401]);
    assert(refused.fields["WWW-Authenticate"].includes('error="invalid_token"'));
    assert(!JSON.stringify(refused).includes(TOKEN));
  }
  assertEquals(wrong.length, 8);
});

Deno.test("where no token is configured, nothing but reading is possible", async () => {
  const { gate: made, ask } = await gate("");
  made.token = undefined;
  assertEquals(await ask({}, OPEN), undefined);
  assertEquals((await ask({}, CLOSED)).status, 403);
  assertEquals((await ask(bearer(""), CLOSED)).status, 403);
  made.token = await Token.of(TOKEN);
  assertEquals(await ask(bearer(TOKEN), CLOSED), undefined);
});

Deno.test("the balancer answers under addresses and names of its own alone", async () => {
  const { ask } = await gate();
  for (
    const host of [
      "127.0.0.1",
      "127.0.0.1:8422",
      "192.0.2.1:1",
      "[::1]",
      "[2001:db8::1]:8422",
      "localhost:8422",
      "LOCALHOST",
      "lb.example",
      "lb.example.:80",
    ]
  ) {
    assertEquals([host, await ask({ host }, OPEN)], [host, undefined]);
  }
  for (
    const host of [
      "",
      "evil.example",
      "127.0.0.1.evil.example",
      "localhost.evil.example",
      "127.0.0.1@evil.example",
      "lb.example:8422.evil.example",
      "[::1",
      "::1",
      "[localhost]",
      "lb",
      "256.0.0.1",
      "127.0.0.1:",
      "127.0.0.1:99999x",
    ].filter((host) => host !== "127.0.0.1:")
  ) {
    const refused = await ask({ host, ...bearer(TOKEN) }, OPEN);
    assertEquals([host, refused?.status], [host, 403]);
  }
});

Deno.test("a page of another origin may ask nothing, whatever it has", async () => {
  const { ask } = await gate();
  const host = "127.0.0.1:8422";
  const fine: readonly Record<string, string>[] = [
    { origin: "http://127.0.0.1:8422" },
    { "sec-fetch-site": "same-origin" },
    { "sec-fetch-site": "none" },
    { origin: "http://localhost:1", host: "LOCALHOST:1" },
  ];
  for (const fields of fine) {
    assertEquals([fields, await ask({ host, ...fields }, OPEN)], [fields, undefined]);
  }
  const foreign: readonly Record<string, string>[] = [
    { origin: "http://evil.example" },
    { origin: "null" },
    { origin: "" },
    { origin: "https://127.0.0.1:8422" },
    { origin: "http://127.0.0.1" },
    { origin: "http://127.0.0.1:8422, http://evil.example" },
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site" },
    { "sec-fetch-site": "none, cross-site" },
  ];
  for (const fields of foreign) {
    for (const isOpen of [OPEN, CLOSED]) {
      const refused = await ask({ host, ...fields, ...bearer(TOKEN) }, isOpen, "PATCH");
      assertEquals([fields, refused?.status], [fields, 403]);
      // Nor is a browser told that it may.
      assertEquals(Object.keys(refused.fields).filter((name) => /^access-control/i.test(name)), []);
    }
  }
});

Deno.test("a body is JSON, as no form of a page can be", async () => {
  const { ask } = await gate();
  const length = { "content-length": "2", ...bearer(TOKEN) };
  for (
    const type of [
      "application/json",
      "Application/JSON; charset=UTF-8",
      'application/json;charset="utf-8"',
    ]
  ) {
    assertEquals([type, await ask({ ...length, "content-type": type }, CLOSED, "PUT")], [
      type,
      undefined,
    ]);
  }
  for (
    const type of [
      "",
      "text/plain",
      "text/plain; application/json",
      "application/x-www-form-urlencoded",
      "multipart/form-data",
      "application/json; charset=utf-16",
      "application/json, text/plain",
    ]
  ) {
    const refused = await ask({ ...length, "content-type": type }, CLOSED, "PUT");
    assertEquals([type, refused?.status], [type, 415]);
  }
  assertEquals(await ask({ "content-length": "0", "content-type": "x" }, OPEN), undefined);
});
