// `compute-lb agent`: answers how busy this machine is, on compute servers without a monitoring daemon.

import { formatJson, formatLine } from "../agent/answer.ts";
import { FiguresOfMachine } from "../agent/figures.ts";
import { THIS_MACHINE } from "../agent/machine.ts";
import { Answerer } from "../agent/server.ts";
import { formatAddress, parseListenAddress, unmapHost } from "../core/values/address.ts";
import { listenHint, messageOf } from "../core/values/errors.ts";
import { LocationTable } from "../core/location/location_table.ts";
import { type Network, parseNetwork } from "../core/values/network.ts";
import { type Result, success } from "../core/values/result.ts";
import { SYSTEM_CLOCK } from "../host/clock.ts";
import { returnFreeMemory } from "../host/memory.ts";
import { becomeUser, findUser } from "../host/privileges.ts";
import { onSignals } from "../host/signals.ts";
import { VERSION } from "../version.ts";
import { listen } from "./echo.ts";
import { EXIT_FAILURE, EXIT_OK, EXIT_USAGE } from "./exit_code.ts";
import { complain, print } from "./output.ts";

export interface AgentCommand {
  readonly listen: string;
  readonly user?: string;
  /** Networks from which it may be asked; empty: anybody may. */
  readonly allow: readonly string[];
}

/** Serves until TERM or INT. */
export async function agent(
  { listen: address, user, allow }: AgentCommand,
): Promise<number> {
  const place = parseListenAddress(address);
  const admits = admission(allow);
  if (!place.ok || !admits.ok) {
    for (const fault of [place, admits]) if (!fault.ok) complain(fault.message);
    return EXIT_USAGE;
  }
  const stopped = Promise.withResolvers<void>();
  const stop = () => stopped.resolve();
  // There is nothing to reload, but a stray HUP must not end it.
  using _signals = onSignals({ reload: () => {}, stop, leave: stop });
  try {
    await using figures = await FiguresOfMachine.start(THIS_MACHINE, SYSTEM_CLOCK);
    const becoming = user === undefined ? undefined : findUser(user);
    const listener = await listen(place.value).catch((error: unknown) => {
      throw new Error(messageOf(error) + listenHint(error, place.value), { cause: error });
    });
    if (becoming !== undefined) becomeUser(becoming);
    await using _answerer = new Answerer(listener, {
      clock: SYSTEM_CLOCK,
      line: async () => formatLine(await figures.read()),
      json: async () => formatJson(await figures.read(), VERSION),
      admits: admits.value,
      onFailure: (message) => complain(`Cannot accept connections: ${message}`),
    });
    print(`agent listens on ${describe(listener.addr)}\n`);
    returnFreeMemory();
    await stopped.promise;
    return EXIT_OK;
  } catch (error) {
    complain(`Cannot run the agent on ${formatAddress(place.value)}: ${messageOf(error)}`);
    return EXIT_FAILURE;
  }
}

/** Reads networks into a test of addresses. */
function admission(allow: readonly string[]): Result<(host: string) => boolean> {
  if (allow.length === 0) return success(() => true);
  const networks: Network[] = [];
  for (const text of allow) {
    const network = parseNetwork(text);
    if (!network.ok) return network;
    networks.push(network.value);
  }
  const table = LocationTable.compile([{ networks, countries: [], pool: 1 }]);
  return success((host) => table.findHost(unmapHost(host)) === 1);
}

function describe(addr: Deno.Addr): string {
  if (addr.transport === "tcp") {
    return formatAddress({ transport: "tcp", host: addr.hostname, port: addr.port });
  }
  return "path" in addr ? `unix:${addr.path}` : "?";
}
