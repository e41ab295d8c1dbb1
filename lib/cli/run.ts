// `compute-lb run`: the balancer as a service, from its first line of log to its last.

import { AdminServer } from "../admin/server.ts";
import { makeServiceFolder, prepareFolder, socketCandidates } from "../admin/socket_path.ts";
import type { WhyQuery } from "../admin/why_report.ts";
import { App } from "../app.ts";
import type { Locations } from "../app/locations.ts";
import { loadSourceMaker, type Logs, makeEngine, makeLogs } from "../app/parts.ts";
import type { Config } from "../config/config.ts";
import { formatConfigErrors, summarizeConfigErrors } from "../config/config_error.ts";
import { odditiesOf } from "../config/oddities.ts";
import type { Clock } from "../core/clock.ts";
import { counted } from "../core/counted.ts";
import { describeDuration } from "../core/duration.ts";
import { messageOf } from "../core/errors.ts";
import { SYSTEM_CLOCK } from "../host/clock.ts";
import { raiseDescriptorLimit } from "../host/limits.ts";
import { activatedDescriptors } from "../engine/splice/sockets.ts";
import { becomeUser, findUser } from "../host/privileges.ts";
import { isJournal } from "../host/journal.ts";
import type { LogArea } from "../log/setup.ts";
import { VERSION } from "../version.ts";
import { type ConfigCommand, readRunnableConfig } from "./config_source.ts";
import { EXIT_CONFIG, EXIT_FAILURE, EXIT_OK, EXIT_USAGE } from "./exit_code.ts";
import { Orders } from "./orders.ts";
import { complain } from "./output.ts";

/** Descriptors that are no session's: listeners, probes, load sources, logs. */
const SPARE_DESCRIPTORS = 256;
/** Where the limit cannot be asked for. */
const ASSUMED_DESCRIPTORS = 8192;
/** How long parts may take to end when the process has to leave now. */
const LEAVE_MS = 3000;
const NEVER = new AbortController().signal;

export async function run(command: ConfigCommand): Promise<number> {
  const read = await readRunnableConfig(command);
  if (read.kind === "usage") {
    complain(read.message);
    return EXIT_USAGE;
  }
  if (read.kind === "errors") {
    complain(formatConfigErrors(read.errors));
    return EXIT_CONFIG;
  }
  const { config, locations } = read;
  const clock = SYSTEM_CLOCK;
  await using logs = makeLogs(
    Deno.stderr,
    Deno.stdout,
    isJournal(Deno.env.get("JOURNAL_STREAM")),
    clock,
  );
  await logs.configure(config.log);
  const log = logs.log.area("app");
  // Before anything else: an order that comes while we start must not be lost, nor end us.
  using orders = new Orders();
  const die = (text: string) => {
    log.error(text);
    // Not by way of the ordinary end: what is stuck would be waited for.
    logs.flush().finally(() => Deno.exit(EXIT_FAILURE));
  };
  try {
    await serve(command, config, locations, { clock, logs, log, orders, die });
    log.info("ended");
    return EXIT_OK;
  } catch (error) {
    log.error(messageOf(error));
    return EXIT_FAILURE;
  }
}

interface Service {
  readonly clock: Clock;
  readonly logs: Logs;
  readonly log: LogArea;
  readonly orders: Orders;
  /** Ends the process, loudly. */
  readonly die: (text: string) => void;
}

async function serve(
  command: ConfigCommand,
  config: Config,
  locations: Locations,
  service: Service,
): Promise<void> {
  const { clock, logs, log, orders, die } = service;
  const random = Math.random;
  const { engine, reason } = makeEngine(config.engine, {
    clock,
    random,
    descriptorLimit: raiseLimit(log, config),
    inherited: activatedDescriptors(Deno.pid, (name) => Deno.env.get(name)),
    onWorkerLost: (text) => log.error(text),
    onFatal: die,
  });
  await using app = new App(config, locations, {
    clock,
    random,
    log: logs.log,
    access: logs.access,
    engine,
    engineReason: reason,
    createLoadSource: loadSourceMaker(clock, random),
  });
  let admin: AdminServer | undefined;
  try {
    log.info(`compute-lb ${VERSION} starts, pid ${Deno.pid}, engine ${engine.name}: ${reason}`);
    for (const warning of [...odditiesOf(config), ...locations.warnings]) log.warning(warning);
    await app.start(async () => {
      if (config.user !== undefined) await giveUpRoot(config.user, log);
      admin = await startAdmin(config, app, log);
    });
    log.info("ready", { event: "ready", pid: Deno.pid });
    orders.whenLeaving(() => {
      clock.sleep(LEAVE_MS, NEVER).then(() => die("what had to end at once has not: leaving it"));
    });
    await untilEnded(command, config, app, service);
  } finally {
    await admin?.[Symbol.asyncDispose]();
  }
}

/** Serves until signals have ended it: TERM once and the last session is over, TERM twice, or INT. */
async function untilEnded(
  command: ConfigCommand,
  config: Config,
  app: App,
  { clock, logs, log, orders }: Service,
): Promise<void> {
  let current = config;
  const reload = async () => {
    current = await reloadFrom(command, config, app, logs, log) ?? current;
  };
  let reloading = Promise.resolve();
  orders.whenReloading(() => reloading = reloading.then(reload));
  await orders.stopped;
  orders.whenReloading(() => log.warning("reload ignored: the balancer is draining"));
  await Promise.race([reloading, orders.left]);
  const { active } = app.status().counters;
  const { shutdownTimeoutMs } = current;
  const cut = new AbortController();
  orders.left.then(() => cut.abort());
  if (!orders.leaving) {
    const until = shutdownTimeoutMs === 0
      ? "without a time limit"
      : `for at most ${describeDuration(shutdownTimeoutMs)}`;
    const standing = active === 0
      ? "none stands"
      : `${counted(active, "session")} may go on ${until}`;
    log.info(`draining: no new sessions, ${standing}`, { event: "draining", active });
  }
  const drained = new AbortController();
  const deadline = shutdownTimeoutMs === 0
    ? Promise.resolve()
    : clock.sleep(shutdownTimeoutMs, drained.signal).then(() => {
      log.warning(
        `the shutdown timeout is over: cutting ${counted(app.status().counters.active, "session")}`,
      );
      cut.abort();
    }, () => {});
  await app.drain(cut.signal);
  drained.abort();
  await deadline;
}

/**
 * Reads the configuration again; a bad one changes nothing.
 * @param started the one that the process began with: some of it holds until its end.
 */
async function reloadFrom(
  command: ConfigCommand,
  started: Config,
  app: App,
  logs: Logs,
  log: LogArea,
): Promise<Config | undefined> {
  const refuse = (reason: string) => {
    app.reloadRefused(reason);
    log.error(`reload refused, nothing has changed: ${reason}`, { event: "reload_refused" });
  };
  await app.reopenRecording();
  const read = await readRunnableConfig(command, started.user);
  if (read.kind === "usage") return void refuse(read.message);
  if (read.kind === "errors") {
    return void refuse(summarizeConfigErrors(read.errors));
  }
  if (read.path === undefined) {
    log.warning("nothing to reload: the configuration came from flags alone");
    return undefined;
  }
  const done = await app.reload(read.config, read.locations);
  if (!done.ok) return void refuse(done.reason);
  await logs.configure(read.config.log);
  const warnings = [...odditiesOf(read.config), ...read.locations.warnings];
  for (const warning of warnings) log.warning(warning);
  for (const key of ["engine", "admin", "user"] as const) {
    if (JSON.stringify(read.config[key]) !== JSON.stringify(started[key])) {
      log.warning(`${key} is another one in ${read.path}: that takes effect at the next start`);
    }
  }
  log.info(`reloaded ${read.path}: ${done.changes}`, { event: "reloaded" });
  return read.config;
}

/** Raises the limit on open files as far as it goes, warns when that is too low, and returns it. */
function raiseLimit(log: LogArea, config: Config): number {
  const raised = raiseDescriptorLimit();
  if (!raised.ok) {
    log.debug(`the limit on open files is as it was: ${raised.reason}`);
    return ASSUMED_DESCRIPTORS;
  }
  const sessions = config.frontends.reduce((sum, { maxConnections }) => sum + maxConnections, 0);
  const wanted = 2 * sessions + SPARE_DESCRIPTORS;
  if (wanted > raised.limit) {
    log.warning(
      `max_connections allows ${sessions} sessions, which need ${wanted} open files, but the limit is ` +
        `${raised.limit}: raise it (ulimit -n, LimitNOFILE=) or lower max_connections`,
    );
  }
  return raised.limit;
}

/** Opens the admin socket. One that nobody asked for by name is not worth failing for. */
async function startAdmin(
  config: Config,
  app: App,
  log: LogArea,
): Promise<AdminServer | undefined> {
  const { socket } = config.admin;
  if (socket === "off") return undefined;
  const handlers = { status: () => app.status(), why: (query: WhyQuery) => app.why(query) };
  if (socket !== "auto") return await AdminServer.start(socket.path, SYSTEM_CLOCK, handlers);
  const noSocket = (reason: string) =>
    log.warning(
      `no admin socket, so status cannot ask this process: ${reason} ` +
        "(--admin-socket PATH gives it one of its own)",
    );
  for (const path of socketCandidates(Deno.uid(), Deno.env.get("XDG_RUNTIME_DIR"))) {
    if (!await prepareFolder(path, Deno.uid())) continue;
    try {
      return await AdminServer.start(path, SYSTEM_CLOCK, handlers);
    } catch (error) {
      noSocket(messageOf(error));
      return undefined;
    }
  }
  noSocket("no folder for it can be made");
  return undefined;
}

async function giveUpRoot(name: string, log: LogArea): Promise<void> {
  const user = findUser(name);
  if (Deno.uid() === 0) await makeServiceFolder(user.uid, user.gid);
  becomeUser(user);
  log.info(`runs as user ${name} (uid ${user.uid})`);
}
