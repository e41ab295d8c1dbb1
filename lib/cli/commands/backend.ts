// `compute-lb backend`: adds backends to a running pool, and takes them out.

import { parseCores, parseWeight } from "../../core/pool/backend.ts";
import { nearest } from "../../core/values/nearest.ts";
import { failure, type Result, success } from "../../core/values/result.ts";
import { sessionLimit } from "../../admin/orders.ts";
import { command, shown } from "../command.ts";
import { HOST_NOTES, ORDER_FLAGS, readHosts } from "../order_flags.ts";

const VERBS = ["add", "remove"] as const;

/** What can be said of a backend that is added, by flag and by field of the request. */
const VALUES: readonly (readonly [
  flag: string,
  field: string,
  read: (text: string) => Result<number>,
])[] = [
  ["cores", "cores", parseCores],
  ["weight", "weight", parseWeight],
  ["max-connections", "max_connections", (text) => sessionLimit.read(text)],
];

export const backend = command({
  name: "backend",
  summary: "add backends to a running pool, or take them out",
  usage: "backend add|remove HOST... [flags]",
  text: `\
backend add puts host[:port] into the pool; without a port, it has the port of
the frontend. Its values win over those of lb.conf, if that names it, too.
backend remove takes a backend out of the pool; its sessions go on. It stays out
whatever names it, until "enable" or "backend add" puts it back.
`,
  flags: [
    { name: "cores", argument: "N", text: "CPU cores; learnt where the load source tells them" },
    { name: "weight", argument: "N", text: "its share beside others, 0 to 256" },
    { name: "max-connections", argument: "N", text: "most sessions at a time; 0 = no limit" },
    ...ORDER_FLAGS,
  ],
  notes: HOST_NOTES,
  positionals: () => VERBS,
  live: "backends",
  examples: [
    "backend add euler:22 --cores 24",
    'backend remove hoek --pool compute --reason "goes to the museum"',
  ],
  read: (given) => {
    const [word = "", ...names] = given.positionals;
    const verb = VERBS.find((known) => known === word);
    if (verb === undefined) {
      const meant = nearest(word, VERBS);
      const hint = meant === undefined ? "" : `did you mean "${meant}"?`;
      const what = word === "" ? "Cannot tell what to do" : `Cannot read "${shown(word)}"`;
      const message = `${what}: expected ${VERBS.join(" or ")}`;
      return { ok: false, message, hint };
    }
    const order = readHosts(given, names);
    if (!order.ok) return order;
    const values: Record<string, number> = {};
    for (const [flag, field, read] of VALUES) {
      const text = given.values.get(flag)?.[0];
      if (text === undefined) continue;
      const value = verb === "add" ? read(text) : failure<number>("it is for backend add");
      if (!value.ok) return { ok: false, message: `Cannot use --${flag}: ${value.message}` };
      values[field] = value.value;
    }
    return success({ ...order.value, verb, values });
  },
  run: async ({ verb, values, ...options }) => {
    const { addBackends, orderBackends } = await import("../orders.ts");
    if (verb === "add") return await addBackends(options, values);
    return await orderBackends(options, "backend remove", { method: "DELETE" });
  },
});
