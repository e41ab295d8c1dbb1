// The sections of the schema about loads: every load source, what one backend may say otherwise than its
// pool, and limits on what load sources tell besides the load, memory and pressure.

import type { TcpAddress } from "../core/values/address.ts";
import { failure, type Result, success } from "../core/values/result.ts";
import { LOAD_SOURCES, NRPE_TLS_MODES } from "./config.ts";
import { quote } from "./config_error.ts";
import {
  absolutePath,
  boolean,
  commandLine,
  duration,
  headerValue,
  jsonPath,
  line,
  lineOrNothing,
  memoryFloor,
  oneOf,
  orOff,
  partialAddress,
  percent,
  share,
  sshOption,
  urlTemplate,
  userName,
} from "./fields.ts";
import {
  DAY,
  field,
  interval,
  named,
  oneOrMany,
  port,
  SECOND,
  section,
  timeout,
  z,
} from "./schema_parts.ts";

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

const gmond = section(
  { port: gmondPort.prefault(String(GMOND_PORT)), address: gmondAddress },
  (value) => value,
);

/** What one backend says otherwise than its pool. */
const gmondOverride = section(
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

const http = section({
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
const httpOverride = section({
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

const nrpeFields = {
  port: field(port, "a port"),
  command: field(line("an NRPE command", 1023), "an NRPE command"),
  tls: field(oneOf(NRPE_TLS_MODES, "a TLS mode"), "a TLS mode"),
  ca: field(absolutePath, "an absolute path").exactOptional(),
  certificate: field(absolutePath, "an absolute path").exactOptional(),
  key: field(absolutePath, "an absolute path").exactOptional(),
  verify_name: field(boolean, "true or false"),
};

const nrpe = section({
  ...nrpeFields,
  port: nrpeFields.port.prefault("5666"),
  command: nrpeFields.command.prefault("check_load"),
  tls: nrpeFields.tls.prefault("auto"),
  verify_name: nrpeFields.verify_name.prefault("true"),
}, ({ verify_name, ...rest }) => ({ ...rest, verifyName: verify_name }));

/** What one backend says otherwise than its pool. */
const nrpeOverride = section({
  ...nrpeFields,
  port: nrpeFields.port.exactOptional(),
  command: nrpeFields.command.exactOptional(),
  tls: nrpeFields.tls.exactOptional(),
  verify_name: nrpeFields.verify_name.exactOptional(),
}, ({ verify_name, ...rest }) => ({
  ...rest,
  ...(verify_name === undefined ? {} : { verifyName: verify_name }),
}));

/** Nothing here has a default but the options, of which none is given. */
const ssh = section({
  user: field(userName, "a user name").exactOptional(),
  port: field(port, "a port").exactOptional(),
  identity_file: field(absolutePath, "an absolute path").exactOptional(),
  config_file: field(absolutePath, "an absolute path").exactOptional(),
  options: oneOrMany(field(sshOption, 'an ssh option "Name=value"')),
}, ({ identity_file, config_file, ...rest }) => ({
  ...rest,
  ...(identity_file === undefined ? {} : { identityFile: identity_file }),
  ...(config_file === undefined ? {} : { configFile: config_file }),
}));

const exec = section({
  command: z.preprocess(
    splitCommand,
    oneOrMany(field(line("an argument", 4095), "a program or an argument")),
  ).prefault([]),
}, (value) => value);

/** One text is split on spaces; a list is taken as it is. */
function splitCommand(value: unknown): unknown {
  if (typeof value !== "string") return value;
  const words = commandLine(value);
  return words.ok ? words.value : value;
}

const agentFields = {
  port: field(port, "a port"),
  send: field(lineOrNothing("an agent's line", 1023), "text"),
};

const agent = section({
  port: agentFields.port.prefault("9777"),
  send: agentFields.send.prefault(""),
}, (value) => value);

/** What one backend says otherwise than its pool. */
const agentOverride = section({
  port: agentFields.port.exactOptional(),
  send: agentFields.send.exactOptional(),
}, (value) => value);

const loadSource = field(oneOf(LOAD_SOURCES, "a load source"), "a load source");

/** How one backend is asked, where that differs from its pool; undefined where nothing does. */
export const loadOverride = section(
  {
    source: loadSource.exactOptional(),
    nrpe: nrpeOverride,
    ssh,
    exec,
    agent: agentOverride,
    gmond: gmondOverride,
    http: httpOverride,
  },
  (value) => {
    const { source, nrpe, ssh, exec, agent, gmond, http } = value;
    const { fields, headers, ...restOfHttp } = http;
    const silent = source === undefined &&
      [nrpe, agent, gmond, fields, headers, restOfHttp].every((one) =>
        Object.keys(one).length === 0
      ) &&
      Object.keys(ssh).length === 1 && ssh.options.length === 0 && exec.command.length === 0;
    return silent ? undefined : value;
  },
);

export const load = section({
  source: loadSource.prefault("nrpe"),
  interval: interval.prefault("10s"),
  timeout: timeout.exactOptional(),
  max_age: field(duration(100, DAY), "a duration").exactOptional(),
  nrpe,
  ssh,
  exec,
  agent,
  gmond,
  http,
}, ({ interval, timeout, max_age, ...rest }) => ({
  ...rest,
  intervalMs: interval,
  timeoutMs: timeout ?? Math.min(2 * SECOND, interval),
  // A stock gmond says again after 70 s what has not changed.
  maxAgeMs: max_age ?? Math.max((rest.source === "gmond" ? 120 : 60) * SECOND, 3 * interval),
}));

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
