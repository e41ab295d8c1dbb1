import { assert, assertEquals } from "@std/assert";
import { answerAdmin } from "../../../lib/admin/routes.ts";
import { formatAnswer } from "../../../lib/core/serving/http.ts";
import { NO_REPORTS } from "../../support/no_reports.ts";

/** What is answered to a request, as it goes over the socket. */
function ask(method: string, target: string): string {
  const reports = {
    ...NO_REPORTS,
    why: () => ({ version: "v\n", now: "n", decisions: [] }),
  };
  return [...formatAnswer(answerAdmin(reports, method, target), method)].join("");
}

Deno.test("answerAdmin() finds the route, or says what there is", () => {
  assertEquals(
    ask("GET", "/v1/why?last=2"),
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" +
      '{"version":"v\\\\n","now":"n","decisions":[]}\n',
  );
  const wrong = [
    ["GET", "/v1/why?last=0", 400, 'Cannot read "0" as last: expected 1 to 1024'],
    ["GET", "/v1/nothing", 404, "no such resource: /v1/nothing"],
    ["GET", "/v1/status/", 404, "no such resource: /v1/status/"],
    ["POST", "/v1/status", 405, "POST is not allowed here: use GET"],
  ] as const;
  for (const [method, target, status, error] of wrong) {
    const [head = "", body = ""] = ask(method, target).split("\r\n\r\n");
    assert(head.startsWith(`HTTP/1.1 ${status} `), head);
    assert(head.includes(`\r\nContent-Length: ${body.length}\r\n`), head);
    assertEquals(JSON.parse(body), { error });
  }
  assert(ask("POST", "/v1/status").includes("\r\nAllow: GET\r\n"));
});
