// Parameters of admin requests, behind "?".

import { key, section } from "../schema/declarations.ts";
import { entityName, line } from "../schema/values.ts";
import { reasonText } from "./orders.ts";
import { decisions } from "./why_report.ts";

/** Of GET /v1/why. */
export const whyQuery = section({ doc: "" }, {
  last: key(decisions, { default: "1", doc: "at most so many, the latest" }),
  client: key(line("the beginning of an address", 255), {
    doc: "only of clients whose address is this, or begins with it",
  }),
});

/** Of GET /v1/sessions. */
export const sessionsQuery = section({ doc: "" }, {
  pool: key(entityName, { doc: "only of this pool" }),
  frontend: key(entityName, { doc: "only of this frontend" }),
  backend: key(line("a backend", 255), { doc: "only of this backend, by its id or its host" }),
  client: key(line("the beginning of an address", 255), {
    doc: "only of this client: an address, its host, or the beginning of that",
  }),
});

/** Of GET /healthz. */
export const healthQuery = section({ doc: "" }, {
  pool: key(entityName, { doc: "only this pool" }),
});

/** Of orders that have no body. */
export const reasonQuery = section({ doc: "" }, {
  reason: key(reasonText, { doc: "why, for whoever asks later" }),
});
