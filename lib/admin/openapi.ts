// The OpenAPI document (spec.openapis.org, 3.1): made of the table of requests, with the declarations that check
// their parameters and bodies.

import { type Declaration, jsonSchemaOf } from "../schema/declarations.ts";
import type { JsonSchema } from "../schema/values.ts";
import { fault, SCHEMAS } from "./answer_schemas.ts";
import { type AnswerStatus, REASONS } from "../core/serving/http.ts";

/** What the document says of a request. */
export interface DescribedRoute {
  readonly method: "GET" | "PUT" | "PATCH" | "POST" | "DELETE";
  /** What begins with ":" stands for one segment of the path, with "*" for all that are left. */
  readonly path: string;
  /** What it does, in one line. */
  readonly doc: string;
  /** Parameters behind "?". */
  readonly query?: Declaration;
  readonly body?: Declaration;
  /** What it answers with 200. */
  readonly gives: JsonSchema | "text";
  /** How else it may be answered, beside what any request may be. */
  readonly mayBe?: readonly AnswerStatus[];
  /** Whether everybody who reaches admin.http may ask it, without the token. */
  readonly isOpen?: true;
}

/** What stands in paths. */
const PARAMETERS: Readonly<Record<string, string>> = {
  pool: "name of a pool",
  backend: "a backend, as lb.conf or the status has it",
  frontend: "name of a frontend",
  session: "number of a session",
  network: "a network or an address",
};

/** Any request may be answered with these, besides what has to do with HTTP alone. */
const ALWAYS: readonly AnswerStatus[] = [400, 401, 403];

/** Fields of requests that order something. */
const ORDER_FIELDS = [
  {
    name: "If-Match",
    in: "header",
    description: 'only if the resource still has one of these tags: "TAG", or *',
    schema: { type: "string", pattern: '^(\\*|"[!#-~]*"( *, *"[!#-~]*")*)$' },
  },
  {
    name: "Compute-Lb-By",
    in: "header",
    description: "who orders it, for the status",
    schema: { type: "string", minLength: 1, maxLength: 64, pattern: "^[ -~]+$" },
  },
] as const;

/** Describes all requests. */
export function openApi(
  routes: readonly DescribedRoute[],
  version: string,
): Readonly<Record<string, unknown>> {
  const paths = new Map<string, Record<string, unknown>>();
  for (const route of routes) {
    const path = route.path.replace(/[:*](\w+)/g, "{$1}");
    const operations = paths.get(path) ?? {};
    paths.set(path, operations);
    operations[route.method.toLowerCase()] = operation(route);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "compute-lb",
      version,
      summary: "Admin requests of a running balancer",
      description: "Over TCP, reading is free where no security is required, and all else takes " +
        "the token. HEAD is answered wherever GET is.",
    },
    paths: Object.fromEntries(paths),
    components: {
      schemas: SCHEMAS,
      securitySchemes: {
        token: { type: "http", scheme: "bearer", description: "what admin.token_file holds" },
      },
    },
  };
}

function operation(route: DescribedRoute): Readonly<Record<string, unknown>> {
  const { method, path, doc, body, gives, mayBe = [], isOpen } = route;
  const failures = [...ALWAYS, ...mayBe].sort().map((status) => [
    status,
    // A health that is bad is told in words, too.
    content(REASONS[status], gives === "text" && status === 503 ? "text" : fault),
  ]);
  return {
    operationId: `${method.toLowerCase()}${path.replace(/\W+/g, "_")}`,
    summary: doc,
    parameters: parametersOf(route),
    ...(body === undefined ? {} : {
      requestBody: { content: { "application/json": { schema: jsonSchemaOf(body) } } },
    }),
    responses: {
      "200": content(REASONS[200], gives),
      ...Object.fromEntries(failures),
      default: content("the request is none that can be read, or too large", fault),
    },
    security: isOpen ? [{}, { token: [] }] : [{ token: [] }],
  };
}

function parametersOf({ method, path, query }: DescribedRoute): unknown[] {
  const inPath = [...path.matchAll(/[:*](\w+)/g)].map(([, name = ""]) => ({
    name,
    in: "path",
    required: true,
    description: PARAMETERS[name],
    schema: { type: "string", minLength: 1 },
  }));
  const inQuery = Object.entries(query?.below ?? {}).map(([name, declaration]) => {
    const { description, ...schema } = jsonSchemaOf(declaration);
    return { name, in: "query", description, schema };
  });
  return [...inPath, ...inQuery, ...(method === "GET" ? [] : ORDER_FIELDS)];
}

function content(description: string, of: JsonSchema | "text"): JsonSchema {
  return {
    description,
    content: of === "text"
      ? { "text/plain": { schema: { type: "string" } } }
      : { "application/json": { schema: of } },
  };
}
