// Reads an OpenAPI document as tests need it: its operations, and whether an answer is as it says.

import { Ajv2020 } from "ajv/dist/2020.js";

type Json = Readonly<Record<string, unknown>>;

export interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly schema: Json;
}

export interface Operation {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly parameters: readonly Parameter[];
  /** The schema of its body; undefined: it has none. */
  readonly body: Json | undefined;
  readonly needsToken: boolean;
  /** What may be answered, by status; "default" for all others. */
  readonly responses: Json;
}

/** All operations of a document. */
export function operationsOf({ paths }: Json): Operation[] {
  return Object.entries(objectIn(paths)).flatMap(([path, operations]) =>
    Object.entries(objectIn(operations)).map(([method, operation]): Operation => {
      const { operationId, parameters, requestBody, responses, security } = objectIn(operation);
      if (!Array.isArray(parameters) || !Array.isArray(security)) throw new Error("No operation");
      return {
        id: String(operationId),
        method: method.toUpperCase(),
        path,
        parameters,
        body: requestBody === undefined ? undefined : schemaIn(requestBody),
        needsToken: !security.some((one) => Object.keys(one).length === 0),
        responses: objectIn(responses),
      };
    })
  );
}

/** Says what is wrong with an answer to an operation; undefined: it is as the document says. */
export function answerChecker(
  document: Json,
): (operation: Operation, status: number, type: string, body: string) => string | undefined {
  // Formats are descriptions, as in the draft itself.
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  ajv.addSchema({ $id: "openapi", ...document });
  const checks = new Map<string, ReturnType<typeof ajv.compile>>();
  return ({ id, responses }, status, type, body) => {
    const key = Object.hasOwn(responses, status) ? String(status) : "default";
    if (key === "default" && (status < 400 || status >= 500)) return `${status} is not documented`;
    const response = objectIn(responses[key]);
    const [wanted = ""] = Object.keys(objectIn(response.content));
    if (!type.startsWith(wanted)) return `${status}: ${type} instead of ${wanted}`;
    if (wanted !== "application/json") return undefined;
    const name = `${id} ${key}`;
    let check = checks.get(name);
    if (check === undefined) {
      const schema = JSON.parse(JSON.stringify(schemaIn(response)).replaceAll('"#/', '"openapi#/'));
      check = ajv.compile(schema);
      checks.set(name, check);
    }
    return check(JSON.parse(body)) ? undefined : `${status}: ${ajv.errorsText(check.errors)}`;
  };
}

function schemaIn(content: unknown): Json {
  const [media] = Object.values(objectIn(objectIn(content).content));
  return objectIn(objectIn(media).schema);
}

function objectIn(value: unknown): Json {
  if (typeof value !== "object" || value === null) throw new Error(`Expected an object: ${value}`);
  return { ...value };
}
