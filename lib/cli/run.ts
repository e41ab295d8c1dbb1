// `compute-lb run`: the balancer as a service, from its first line of log to its last.

import { listenAt } from "../admin/listen.ts";
import { AdminServer } from "../admin/server.ts";
import { makeServiceFolder, prepareFolder, socketCandidates } from "../admin/socket_path.ts";
import type { Token } from "../admin/token.ts";
import { prepareStateFolder } from "../admin/state_place.ts";
import { App } from "../app.ts";
import type { Locations } from "../app/locations.ts";
import { descriptorNeed } from "../app/descriptors.ts";
import { loadSourceMaker, type Logs, makeEngine, makeLogs, workersOf } from "../app/parts.ts";
import type { Config } from "../config/config.ts";
import { formatConfigErrors } from "../config/config_error.ts";
import type { Clock } from "../core/timing/clock.ts";
import { counted } from "../core/values/counted.ts";
import { messageOf } from "../core/values/errors.ts";
import { activatedDescriptors } from "../host/systemd.ts";
import { SYSTEM_CLOCK } from "../host/clock.ts";
import { raiseDescriptorLimit } from "../host/limits.ts";
import type { Engine } from "../engine/engine.ts";
import { becomeUser, findUser } from "../host/privileges.ts";
import { returnFreeMemory } from "../host/memory.ts";
import type { LogArea } from "../log/setup.ts";
import { VERSION } from "../version.ts";
import { addressOf, listenForHttp, makeGate, tellHttp } from "./admin_http.ts";
import { outlet, tellServing } from "./background.ts";
import { type ConfigCommand, readRunnableConfig } from "./config_source.ts";
import { cutTime, describeCutTime, grantedMs, STOP_SECONDS } from "./cut_time.ts";
import { EXIT_CONFIG, EXIT_FAILURE, EXIT_OK, EXIT_USAGE } from "./exit_code.ts";
import { openState, stateOf } from "./kept_orders.ts";
import { allWarnings, Reloading } from "./reloading.ts";
import { describeRival } from "./trial_listen.ts";
import { SignalHandlers } from "./signal_handlers.ts";
import { complain } from "./output.ts";

/** Where the limit cannot be asked for. */
const ASSUMED_DESCRIPTORS = 8192;
/** How long parts may take to end when the process has to leave now. */
const LEAVE_MS = 3000;
const NEVER = new AbortController().signal;

/** How long the service manager lets us end. */
const granted = grantedMs(Deno.env.get(STOP_SECONDS));

export async function run(command: ConfigCommand): Promise<number> {
  // Before anything else: an order that comes while we start must not be lost, nor end us.
  using signals = new SignalHandlers();
  const read = await Promise.race([readRunnableConfig(command), signals.stopped]);
  if (read === undefined) return EXIT_OK;
  if (read.kind === "usage") {
    complain(read.message);
    return EXIT_USAGE;
  }
  if (read.kind === "errors") {
    complain(formatConfigErrors(read.errors));
    return EXIT_CONFIG;
  }
  const { config, locations, path, token } = read;
  const clock = SYSTEM_CLOCK;
  const { service, access, isJournal } = outlet();
  await using logs = makeLogs(service, access, isJournal, clock);
  await logs.configure(config.log);
  const log = logs.log.area("app");
  const die = (text: string) => {
    log.error(text);
    // Not by way of the ordinary end: what is stuck would be waited for.
    logs.flush().finally(() => Deno.exit(EXIT_FAILURE));
  };
  try {
    await serve(command, config, path, locations, token, { clock, logs, log, signals, die });
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
  readonly signals: SignalHandlers;
  /** Ends the process, loudly. */
  readonly die: (text: string) => void;
}

async function serve(
  command: ConfigCommand,
  config: Config,
  path: string | undefined,
  locations: Locations,
  token: Token | undefined,
  service: Service,
): Promise<void> {
  const { clock, logs, log, signals, die } = service;
  const random = Math.random;
  const descriptorLimit = raiseLimit(log);
  const { engine, reason } = makeEngine(config.engine, {
    clock,
    random,
    descriptorLimit,
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
  log.info(`compute-lb ${VERSION} starts, pid ${Deno.pid}, engine ${engine.name}: ${reason}`);
  for (const warning of allWarnings(config, locations)) log.warning(warning);
  let adminSocket: Deno.UnixListener | undefined;
  let http: readonly Deno.Listener[] = [];
  try {
    const state = stateOf(config, path);
    await app.start(async () => {
      // A low port takes root.
      http = await listenForHttp(config.admin.http);
      if (config.user !== undefined) await giveUpRoot(config.user, state?.path, log);
      adminSocket = await openAdminSocket(config, clock, log);
      return await openState(state, log);
    });
  } catch (error) {
    for (const listener of [adminSocket, ...http]) listener?.close();
    throw new Error(messageOf(error) + await describeRival(config, error), { cause: error });
  }
  app.adminHttp = http.map(addressOf);
  const gate = makeGate(config.admin, token, clock, log);
  const reloading = new Reloading(command, config, app, gate, logs, log);
  app.reloads = reloading;
  // Who has asked since the sockets were opened is answered now, when there is something to tell.
  await using admin = new AsyncDisposableStack();
  if (adminSocket !== undefined) admin.use(new AdminServer(adminSocket, clock, app));
  const overTcp = admin.use(new AsyncDisposableStack());
  for (const listener of http) overTcp.use(new AdminServer(listener, clock, app, gate));
  tellHttp(http, token !== undefined, log);
  warnOfLimit(config, engine.name, descriptorLimit, log);
  log.info("ready", { event: "ready", pid: Deno.pid });
  tellServing();
  returnFreeMemory();
  signals.whenLeaving(() => {
    clock.sleep(LEAVE_MS, NEVER).then(() => die("what had to end at once has not: leaving it"));
  });
  // As the ports of frontends, for a successor that starts while sessions go on here.
  const releasePorts = async () => {
    await overTcp.disposeAsync();
    app.adminHttp = [];
  };
  await untilEnded(app, reloading, releasePorts, service);
}

/** Serves until signals have ended it: TERM once and the last session is over, TERM twice, or INT. */
async function untilEnded(
  app: App,
  reloading: Reloading,
  releasePorts: () => Promise<void>,
  { clock, log, signals }: Service,
): Promise<void> {
  signals.whenReloading(() => void reloading.order());
  await signals.stopped;
  reloading.stop(new Error("the balancer is draining"));
  const released = releasePorts();
  const { active } = app.status().counters;
  const end = cutTime(app.config.shutdownTimeoutMs, granted);
  const cut = new AbortController();
  signals.left.then(() => cut.abort());
  if (!signals.leaving) {
    const until = end === undefined
      ? "may go on without a time limit"
      : `may go on, those left are cut ${describeCutTime(end, clock.wall())}`;
    const standing = active === 0 ? "none stands" : `${counted(active, "session")} ${until}`;
    log.info(`draining: no new sessions, ${standing}`, { event: "draining", active });
  }
  const drained = new AbortController();
  const deadline = end === undefined
    ? Promise.resolve()
    : clock.sleep(end.afterMs, drained.signal).then(() => {
      const left = counted(app.status().counters.active, "session");
      log.warning(`cutting ${left}: ${end.because}`);
      cut.abort();
    }, () => {});
  await app.drain(cut.signal);
  drained.abort();
  await Promise.all([deadline, released]);
}

/** Raises the limit on open files as far as it goes, and returns it. */
function raiseLimit(log: LogArea): number {
  const raised = raiseDescriptorLimit();
  if (!raised.ok) {
    log.debug(`the limit on open files is as it was: ${raised.message}`);
    return ASSUMED_DESCRIPTORS;
  }
  return raised.value;
}

/** Says so when the limit on open files is too low for what the configuration allows. */
function warnOfLimit(config: Config, engine: Engine["name"], limit: number, log: LogArea): void {
  const { sessions, most } = descriptorNeed(config, engine, workersOf(config.engine));
  if (most <= limit) return;
  log.warning(
    `the limit on open files, ${limit}, is too low for the ${sessions} sessions that max_connections ` +
      `allows: raise it to ${most} (ulimit -n ${most}, LimitNOFILE=${most}) or lower max_connections`,
  );
}

/** Opens the admin socket. One that nobody asked for by name is not worth failing for. */
async function openAdminSocket(
  { admin: { socket } }: Config,
  clock: Clock,
  log: LogArea,
): Promise<Deno.UnixListener | undefined> {
  if (socket === "off") return undefined;
  if (socket !== "auto") return await listenAt(socket.path, clock);
  const noSocket = (reason: string) =>
    log.warning(
      `no admin socket, so status cannot ask this process: ${reason} ` +
        "(--admin-socket PATH gives it one of its own)",
    );
  for (const path of socketCandidates(Deno.uid(), Deno.env.get("XDG_RUNTIME_DIR"))) {
    if (!await prepareFolder(path, Deno.uid())) continue;
    try {
      return await listenAt(path, clock);
    } catch (error) {
      noSocket(messageOf(error));
      return undefined;
    }
  }
  noSocket("no folder for it can be made");
  return undefined;
}

async function giveUpRoot(name: string, state: string | undefined, log: LogArea): Promise<void> {
  const user = findUser(name);
  if (Deno.uid() === 0) {
    await makeServiceFolder(user.uid, user.gid);
    if (state !== undefined) await prepareStateFolder(state, user);
  }
  becomeUser(user);
  log.info(`runs as user ${name} (uid ${user.uid})`);
}
