// `compute-lb run`: the balancer as a service, from its first line of log to its last.

import { AdminServer } from "../admin/server.ts";
import { prepareFolder, socketCandidates } from "../admin/socket_path.ts";
import { App } from "../app.ts";
import { loadSourceMaker, type Logs, makeEngine, makeLogs } from "../app/parts.ts";
import type { Config } from "../config/config.ts";
import { formatConfigErrors } from "../config/config_error.ts";
import { describeDuration } from "../core/duration.ts";
import { messageOf } from "../core/errors.ts";
import { SYSTEM_CLOCK } from "../host/clock.ts";
import { raiseDescriptorLimit } from "../host/limits.ts";
import { activatedDescriptors } from "../engine/splice/sockets.ts";
import { becomeUser, findUser } from "../host/privileges.ts";
import { onSignals } from "../host/signals.ts";
import type { LogArea } from "../log/setup.ts";
import { VERSION } from "../version.ts";
import { type ConfigCommand, readCommandConfig } from "./config_source.ts";
import { EXIT_CONFIG, EXIT_FAILURE, EXIT_OK, EXIT_USAGE } from "./exit_code.ts";
import { complain } from "./output.ts";

/** Descriptors that are no session's: listeners, probes, load sources, logs. */
const SPARE_DESCRIPTORS = 256;
/** Where the limit cannot be asked for. */
const ASSUMED_DESCRIPTORS = 8192;
/** How long the last words may take when the process has to end at once. */
const FLUSH_MS = 1000;

export async function run(command: ConfigCommand): Promise<number> {
  const read = await readCommandConfig(command);
  if (read.kind === "usage") {
    complain(read.message);
    return EXIT_USAGE;
  }
  if (read.kind === "errors") {
    complain(formatConfigErrors(read.errors));
    return EXIT_CONFIG;
  }
  const journal = Deno.env.get("JOURNAL_STREAM") !== undefined && !Deno.stderr.isTerminal();
  await using logs = makeLogs(Deno.stderr, Deno.stdout, journal);
  await logs.configure(read.config.log);
  const log = logs.log.area("app");
  const descriptorLimit = raiseLimit(log, read.config);
  const clock = SYSTEM_CLOCK;
  const random = Math.random;
  const die = (text: string) => {
    log.error(text);
    // Not by way of the ordinary end: what is stuck would be waited for.
    const flushed = Promise.race([
      logs.flush(),
      clock.sleep(FLUSH_MS, new AbortController().signal),
    ]);
    flushed.finally(() => Deno.exit(EXIT_FAILURE));
  };
  let made: ReturnType<typeof makeEngine>;
  try {
    made = makeEngine(read.config.engine, {
      clock,
      random,
      descriptorLimit,
      inherited: activatedDescriptors(Deno.pid, (name) => Deno.env.get(name)),
      onWorkerLost: (text) => log.error(text),
      onFatal: die,
    });
  } catch (error) {
    log.error(messageOf(error));
    return EXIT_FAILURE;
  }
  const { engine, reason } = made;
  await using app = new App(read.config, {
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
    await app.start(async () => {
      admin = await startAdmin(read.config, app, log);
      if (read.config.user !== undefined) await giveUpRoot(read.config.user, admin, log);
    });
    log.info("ready", { event: "ready", pid: Deno.pid });
    await untilEnded(command, read.config, app, logs, log);
    log.info("ended");
    return EXIT_OK;
  } catch (error) {
    log.error(messageOf(error));
    return EXIT_FAILURE;
  } finally {
    await admin?.[Symbol.asyncDispose]();
  }
}

/** Serves until signals have ended it: TERM once and the last session is over, TERM twice, or INT. */
async function untilEnded(
  command: ConfigCommand,
  config: Config,
  app: App,
  logs: Logs,
  log: LogArea,
): Promise<void> {
  const stopped = Promise.withResolvers<void>();
  const cut = new AbortController();
  let current = config;
  let stopping = false;
  let reloading: Promise<void> = Promise.resolve();
  const stop = () => {
    if (stopping) return leave();
    stopping = true;
    stopped.resolve();
  };
  const leave = () => {
    stopping = true;
    cut.abort();
    stopped.resolve();
  };
  const reload = () => {
    if (stopping) return log.warning("reload ignored: the balancer is draining");
    reloading = reloading.then(async () => {
      current = await reloadFrom(command, current, app, logs, log) ?? current;
    });
  };
  using _signals = onSignals({ reload, stop, leave });
  await stopped.promise;
  await reloading;
  const { active } = app.status().counters;
  const { shutdownTimeoutMs } = current;
  if (!cut.signal.aborted) {
    const until = shutdownTimeoutMs === 0
      ? "for as long as they last"
      : `for at most ${describeDuration(shutdownTimeoutMs)}`;
    log.info(`draining: no new sessions, ${active} go on ${until}`, { event: "draining", active });
  }
  const drained = new AbortController();
  const deadline = shutdownTimeoutMs === 0
    ? Promise.resolve()
    : SYSTEM_CLOCK.sleep(shutdownTimeoutMs, drained.signal).then(() => {
      log.warning(`the shutdown timeout is over: cutting ${app.status().counters.active} sessions`);
      cut.abort();
    }, () => {});
  await app.drain(cut.signal);
  drained.abort();
  await deadline;
}

/** Reads the configuration again; a bad one changes nothing. */
async function reloadFrom(
  command: ConfigCommand,
  current: Config,
  app: App,
  logs: Logs,
  log: LogArea,
): Promise<Config | undefined> {
  const refuse = (reason: string) => {
    app.reloadRefused(reason);
    log.error(`reload refused, nothing has changed: ${reason}`, { event: "reload_refused" });
  };
  const read = await readCommandConfig(command);
  if (read.kind === "usage") return void refuse(read.message);
  if (read.kind === "errors") {
    return void refuse(formatConfigErrors(read.errors).trim().replaceAll("\n", " / "));
  }
  if (read.path === undefined) {
    log.warning("nothing to reload: the configuration came from flags alone");
    return undefined;
  }
  const done = await app.reload(read.config);
  if (!done.ok) return void refuse(done.reason);
  await logs.configure(read.config.log);
  for (const key of ["engine", "admin", "user"] as const) {
    if (JSON.stringify(read.config[key]) !== JSON.stringify(current[key])) {
      log.warning(`${key} has changed in ${read.path}: that takes effect at the next start`);
    }
  }
  log.info(`reloaded ${read.path}`, { event: "reloaded" });
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
  const handlers = { status: () => app.status() };
  if (socket !== "auto") return await AdminServer.start(socket.path, SYSTEM_CLOCK, handlers);
  for (const path of socketCandidates(Deno.uid(), Deno.env.get("XDG_RUNTIME_DIR"))) {
    if (!await prepareFolder(path, Deno.uid())) continue;
    try {
      return await AdminServer.start(path, SYSTEM_CLOCK, handlers);
    } catch (error) {
      log.warning(`no admin socket, so status cannot ask this process: ${messageOf(error)}`);
      return undefined;
    }
  }
  log.warning("no admin socket, so status cannot ask this process: no folder for it can be made");
  return undefined;
}

async function giveUpRoot(
  name: string,
  admin: AdminServer | undefined,
  log: LogArea,
): Promise<void> {
  const user = findUser(name);
  if (admin !== undefined && Deno.uid() === 0) {
    // So that it can be removed at the end.
    const folder = admin.path.slice(0, admin.path.lastIndexOf("/"));
    if (folder.endsWith("/compute-lb")) await Deno.chown(folder, user.uid, user.gid);
    await Deno.chown(admin.path, user.uid, user.gid);
  }
  becomeUser(user);
  log.info(`runs as user ${name} (uid ${user.uid})`);
}
