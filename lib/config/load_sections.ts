// Sections of the schema about loads: the sources gmond and http, and limits on what load sources tell
// besides the load, memory and pressure.

import type { TcpAddress } from "../core/address.ts";
import { failure, type Result, success } from "../core/result.ts";
import { quote } from "./config_error.ts";
import {
  absolutePath,
  boolean,
  headerValue,
  jsonPath,
  memoryFloor,
  orOff,
  partialAddress,
  percent,
  share,
  urlTemplate,
} from "./fields.ts";
import { field, named, port, section } from "./schema_parts.ts";

const GMOND_PORT = 8649;

/** One gmond for all: host[:port]. */
function collector(text: string): Result<TcpAddress> {
  const read = partialAddress(text);
  if (!read.ok) return read;
  const { address, hasPort } = read.value;
  if (address.transport !== "tcp") {
    return failure(`Cannot ask ${quote(text)} by gmond: expected "host[:port]"`);
  }
  return success(hasPort ? address : { ...address, port: GMOND_PORT });
}

const gmondPort = field(port, "a port");
const gmondAddress = field(collector, 'an address "host[:port]"').exactOptional();

export const gmond = section(
  { port: gmondPort.prefault(String(GMOND_PORT)), address: gmondAddress },
  (value) => value,
);

/** What one backend says otherwise than its pool. */
export const gmondOverride = section(
  { port: gmondPort.exactOptional(), address: gmondAddress },
  (value) => value,
);

const path = field(jsonPath, "a path such as cpu.count, or off");
/** Without a load there is no sample. */
const loadPath = field(
  (text): Result<string> =>
    text === "off"
      ? failure('Cannot use "off" as the path of the load: expected where it stands')
      : jsonPath(text),
  "a path such as cpu.load.0",
);

const httpFields = {
  url: field(urlTemplate, "a URL"),
  headers: named(field(headerValue, "the value of a header")),
  token_file: field(absolutePath, "an absolute path").exactOptional(),
  ca: field(absolutePath, "an absolute path").exactOptional(),
};

interface HttpFiles {
  readonly token_file?: string;
  readonly ca?: string;
}

function renameFile<T extends HttpFiles>(
  { token_file, ...rest }: T,
): Omit<T, "token_file"> & { readonly tokenFile?: string } {
  return { ...rest, ...(token_file === undefined ? {} : { tokenFile: token_file }) };
}

export const http = section({
  ...httpFields,
  url: httpFields.url.prefault("http://{host}:9777/"),
  fields: section({
    load1: loadPath.prefault("load1"),
    cores: path.prefault("cores"),
    memory_available_bytes: path.prefault("memory_available_bytes"),
    memory_total_bytes: path.prefault("memory_total_bytes"),
    cpu_pressure: path.prefault("cpu_pressure"),
    memory_pressure: path.prefault("memory_pressure"),
    sessions: path.prefault("sessions"),
  }, (value) => value),
}, renameFile);

/** What one backend says otherwise than its pool. */
export const httpOverride = section({
  ...httpFields,
  url: httpFields.url.exactOptional(),
  fields: section({
    load1: loadPath.exactOptional(),
    cores: path.exactOptional(),
    memory_available_bytes: path.exactOptional(),
    memory_total_bytes: path.exactOptional(),
    cpu_pressure: path.exactOptional(),
    memory_pressure: path.exactOptional(),
    sessions: path.exactOptional(),
  }, (value) => value),
}, renameFile);

export const memory = section({
  min_available: field(memoryFloor, "a size or a percentage").prefault("0"),
  weight: field(share, "a number from 0 to 1").prefault("0"),
}, ({ min_available, ...rest }) => ({ ...rest, minAvailable: min_available }));

const limit = field(orOff(percent(1, 100)), "a percentage or off").prefault("off");

export const pressure = section({
  correct_load: field(boolean, "true or false").prefault("true"),
  max_cpu: limit,
  max_memory: limit,
}, ({ correct_load, max_cpu, max_memory }) => ({
  correctLoad: correct_load,
  ...(max_cpu === undefined ? {} : { maxCpu: max_cpu }),
  ...(max_memory === undefined ? {} : { maxMemory: max_memory }),
}));
