import { assert, assertEquals } from "@std/assert";
import { answerAdmin } from "../../../lib/admin/routes.ts";
import { formatAnswer } from "../../../lib/core/serving/http.ts";
import { NO_REPORTS } from "../../support/no_reports.ts";

/** What is answered to a request, as it goes over the socket. */
async function ask(method: string, target: string): Promise<string> {
  const reports = {
    ...NO_REPORTS,
    why: () => ({ version: "v\n", now: "n", decisions: [] }),
  };
  const answer = await answerAdmin(reports, {
    by: "socket",
    method,
    target,
    fields: new Map(),
    body: "",
  });
  return [...formatAnswer(answer, method)].join("");
}

Deno.test("answerAdmin() finds the route, or says what there is", async () => {
  assertEquals(
    await ask("GET", "/v1/why?last=2"),
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" +
      '{"version":"v\\\\n","now":"n","decisions":[]}\n',
  );
  const wrong = [
    ["GET", "/v1/why?last=0", 400, 'last: Cannot read "0": expected 1 to 1024'],
    ["GET", "/v1/nothing", 404, "no such resource: /v1/nothing (/v1/openapi.json describes all)"],
    ["GET", "/v1/status/", 404, "no such resource: /v1/status/ (/v1/openapi.json describes all)"],
    ["POST", "/v1/status", 405, "POST is not allowed here: use GET, HEAD"],
  ] as const;
  for (const [method, target, status, error] of wrong) {
    const [head = "", body = ""] = (await ask(method, target)).split("\r\n\r\n");
    assert(head.startsWith(`HTTP/1.1 ${status} `), head);
    assert(head.includes(`\r\nContent-Length: ${body.length}\r\n`), head);
    assertEquals(JSON.parse(body).error, error);
  }
  assert((await ask("POST", "/v1/status")).includes("\r\nAllow: GET, HEAD\r\n"));
});

/** A backend as it is told; what it is does not matter here. */
const REMOVED = { id: "hoek:22", active: 0, by: "alice", at: "", reason: null };

/** Sends a request to a balancer that notes what it is ordered. */
async function order(
  method: string,
  target: string,
  body: string,
  fields: Readonly<Record<string, string>> = {},
) {
  const orders: unknown[] = [];
  const done = (...order: unknown[]) => {
    orders.push(order);
    return Promise.resolve({ ok: true, value: REMOVED, tag: "t1" } as const);
  };
  const balancer = {
    ...NO_REPORTS,
    orders: {
      ...NO_REPORTS.orders,
      patchBackend: done,
      addBackend: done,
      removeBackend: (...order: unknown[]) => {
        orders.push(order);
        const refused = { ok: false, status: 412, error: "another by now" } as const;
        return Promise.resolve(refused);
      },
    },
  };
  const answer = await answerAdmin(balancer, {
    by: "socket",
    method,
    target,
    fields: new Map(Object.entries(fields)),
    body,
  });
  assert(typeof answer.body === "string");
  const read: unknown = JSON.parse(answer.body);
  return { status: answer.status, fields: answer.fields, body: read, orders };
}

const HOEK = "/v1/pools/compute/backends/hoek:22";

Deno.test("an order is read with who gives it, and answered with its tag", async () => {
  const drained = await order(
    "PATCH",
    HOEK,
    '{"state":"draining","deadline":"8h","weight":2.5,"reason":"new kernel"}',
    { "compute-lb-by": "alice", "if-match": '"t0", "t1"' },
  );
  assertEquals(drained, {
    status: 200,
    fields: { "ETag": '"t1"' },
    body: REMOVED,
    orders: [[
      "compute",
      "hoek:22",
      { state: "draining", deadline: { afterMs: 28_800_000 }, weight: 2.5, reason: "new kernel" },
      { by: "alice", ifMatch: ["t0", "t1"] },
    ]],
  });
  const taken = await order("PATCH", HOEK, '{"state":null,"weight":null,"deadline":null}');
  const back = { state: "default", weight: null, deadline: null };
  assertEquals(taken.orders, [["compute", "hoek:22", back, { by: "socket" }]]);
  const added = await order("PUT", "/v1/pools/p/backends/unix%3A%2Frun%2Fa.sock", "", {
    "if-match": "*",
  });
  const caller = { by: "socket", ifMatch: "*" };
  assertEquals(added.orders, [["p", "unix:/run/a.sock", {}, caller]]);
  const removed = await order("DELETE", `${HOEK}?reason=broken%20disk`, "");
  assertEquals(removed.orders, [["compute", "hoek:22", "broken disk", { by: "socket" }]]);
  assertEquals([removed.status, removed.body], [412, { error: "another by now" }]);
});

Deno.test("an order that cannot be read is refused with the field that is wrong", async () => {
  const cases = [
    ["PATCH", HOEK, "{", {}, "Cannot read it: expected JSON"],
    ["PATCH", HOEK, "[]", {}, "expected fields (state, deadline, weight, reason)"],
    ["PATCH", HOEK, '{"wieght":1}', {}, 'wieght: Unknown field "wieght": did you mean "weight"?'],
    ["PATCH", HOEK, '{"weight":-1}', {}, 'weight: Cannot read "-1" as a weight'],
    ["PATCH", HOEK, '{"state":"drain"}', {}, 'state: Cannot read "drain" as a state: expected'],
    ["PATCH", HOEK, '{"deadline":8}', {}, 'deadline: Cannot read "8" as a time: expected 1s to'],
    ["PATCH", HOEK, '{"deadline":"2027-02-30T18:00:00Z"}', {}, "deadline: Cannot read"],
    ["PATCH", HOEK, '{"state":"draining","reason":null}', {}, "reason: Cannot read nothing here"],
    ["PATCH", HOEK, '{"reason":"a\\nb"}', {}, "reason: Cannot use"],
    ["PUT", HOEK, '{"cores":0}', {}, 'cores: Cannot read "0" as cores'],
    ["PUT", HOEK, '{"max_connections":"many"}', {}, "max_connections: Cannot read"],
    ["DELETE", `${HOEK}?why=x`, "", {}, 'Unknown parameter "why": expected reason'],
    ["PATCH", HOEK, "{}", { "if-match": "t1" }, "If-Match: Cannot read"],
    ["PATCH", HOEK, "{}", { "compute-lb-by": "" }, "compute-lb-by: Cannot use"],
    ["PATCH", "/v1/pools/p/backends/%ff", "{}", {}, "Cannot read the backend in"],
  ] as const;
  for (const [method, target, body, fields, error] of cases) {
    const answer = await order(method, target, body, fields);
    assertEquals([answer.status, answer.orders], [400, []], body);
    assert(
      JSON.stringify(answer.body).includes(JSON.stringify(error).slice(1, -1)),
      `${body}: ${JSON.stringify(answer.body)}`,
    );
  }
  const unknown = await order("PATCH", "/v1/pools/p/backends/", "{}");
  assertEquals(unknown.status, 404);
  const wrong = await order("POST", HOEK, "{}");
  assertEquals([wrong.status, wrong.fields], [405, { "Allow": "GET, HEAD, PATCH, PUT, DELETE" }]);
});
