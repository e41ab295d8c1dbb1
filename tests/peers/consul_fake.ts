// Stands for a Consul agent, which Debian does not have: it does what Consul's documentation of its HTTP API says
// of services, their health and blocking queries (developer.hashicorp.com/consul/api-docs/features/blocking).
// deno run -A consul_fake.ts HOST PORT SPEED: its waits pass so many times as fast
//
//   PUT /v1/agent/service/register          {ID, Name, Tags, Address, Port, Meta, Weights}
//   PUT /v1/agent/service/deregister/ID
//   PUT /v1/agent/check/ID?status=passing|critical   stands for the check of an instance
//   GET /v1/health/service/NAME?passing&tag=T&index=N&wait=10s

interface Service {
  readonly ID: string;
  readonly Name: string;
  readonly Tags?: readonly string[];
  readonly Address?: string;
  readonly Port?: number;
  readonly Meta?: Readonly<Record<string, string>>;
  readonly Weights?: { readonly Passing: number; readonly Warning: number };
}

const NODE = { Node: "fake", Address: "10.9.9.9", Datacenter: "dc1" };
/** The longest wait, and the one of who names none. */
const MOST_WAIT_MS = 600_000;
const USUAL_WAIT_MS = 300_000;

const [hostname = "127.0.0.1", port = "8500", speed = "1"] = Deno.args;
const services = new Map<string, { service: Service; status: string }>();
/** The number of the last change: of all services as of each, since there is but one here. */
let index = 10;
let changed = Promise.withResolvers<void>();

function change(): Response {
  index++;
  changed.resolve();
  changed = Promise.withResolvers();
  return new Response();
}

async function health(url: URL, name: string, token: string | null): Promise<Response> {
  const known = Number(url.searchParams.get("index") ?? 0);
  const [, count, unit = "s"] = /^(\d+)(ms|s|m)$/.exec(url.searchParams.get("wait") ?? "") ?? [];
  const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 };
  const waitMs = count === undefined ? USUAL_WAIT_MS : Number(count) * (units[unit] ?? 1);
  const jitteredMs = Math.min(waitMs, MOST_WAIT_MS) * (1 + Math.random() / 16);
  const endMs = performance.now() + jitteredMs / Number(speed);
  // A query waits while nothing has changed since the index that it names; 0 does not wait.
  while (known > 0 && index <= known && performance.now() < endMs) {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, endMs - performance.now());
    });
    await Promise.race([changed.promise, late]);
    clearTimeout(timer);
  }
  const isAllowed = token !== "wrong";
  const tags = url.searchParams.getAll("tag");
  const found = [...services.values()].filter(({ service, status }) =>
    service.Name === name && (status === "passing" || !url.searchParams.has("passing")) &&
    tags.every((tag) => service.Tags?.includes(tag))
  );
  const answer = found.map(({ service, status }) => ({
    Node: NODE,
    Service: {
      ID: service.ID,
      Service: service.Name,
      Tags: service.Tags ?? [],
      Address: service.Address ?? "",
      Port: service.Port ?? 0,
      Meta: service.Meta ?? {},
      Weights: service.Weights ?? { Passing: 1, Warning: 1 },
    },
    Checks: [{ Node: NODE.Node, CheckID: `service:${service.ID}`, Status: status }],
  }));
  return Response.json(isAllowed ? answer : [], {
    headers: {
      "x-consul-index": String(index),
      "x-consul-knownleader": "true",
      "x-consul-lastcontact": "0",
      ...(isAllowed ? {} : { "x-consul-results-filtered-by-acls": "true" }),
    },
  });
}

Deno.serve({ hostname, port: Number(port), onListen: () => {} }, async (request) => {
  const url = new URL(request.url);
  const [, , , verb = "", what = "", id = ""] = url.pathname.split("/");
  if (url.pathname.startsWith("/v1/health/service/")) {
    return await health(url, decodeURIComponent(what), request.headers.get("x-consul-token"));
  }
  if (verb === "service" && what === "register") {
    const service: Service = await request.json();
    services.set(service.ID, { service, status: "passing" });
    return change();
  }
  if (verb === "service" && what === "deregister") {
    services.delete(id);
    return change();
  }
  if (verb === "check") {
    const known = services.get(what);
    if (known !== undefined) known.status = url.searchParams.get("status") ?? "passing";
    return change();
  }
  return url.pathname === "/v1/status/leader"
    ? Response.json("here")
    : new Response("", { status: 404 });
});
