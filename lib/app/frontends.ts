// What the engine is told of frontends: what the configuration says, compiled lists and rules, what refused
// clients read, and which networks administrators deny.

import type { Administration } from "../core/administration/administration.ts";
import { compileAccess } from "../core/admission/access_list.ts";
import type { SourceLimits } from "../core/admission/source_table.ts";
import { NetworkSet } from "../core/location/network_set.ts";
import { parseNetwork } from "../core/values/network.ts";
import type { Config } from "../config/config.ts";
import type { Frontend } from "../engine/engine.ts";
import type { Locations } from "./locations.ts";
import { refusalTextOf } from "./refusal_text.ts";

/** Makes the engine's frontends of a configuration and of what is ordered. */
export function frontendsOf(
  { frontends, pools }: Config,
  { access, byFrontend }: Locations,
  { denials }: Pick<Administration, "denials">,
): Frontend[] {
  return frontends.map((frontend) => {
    const { name, listen, pool, maxConnections, whenFull, perSource, idleTimeoutMs, socketMode } =
      frontend;
    const { acceptProxyFrom } = frontend;
    const denied = [access.get(name), setOf(denials.get(name)?.keys())]
      .filter((set) => set !== undefined);
    const location = byFrontend.get(name);
    const refusalText = refusalTextOf(frontend, pools);
    return {
      name,
      listen,
      pool,
      ...(location === undefined ? {} : { location }),
      ...(acceptProxyFrom.length === 0 ? {} : { acceptProxyFrom: NetworkSet.of(acceptProxyFrom) }),
      ...(denied.length === 0 ? {} : { denied }),
      maxConnections,
      whenFull,
      ...(isLimiting(perSource) ? { perSource } : {}),
      idleTimeoutMs,
      ...(socketMode === undefined ? {} : { socketMode }),
      ...(refusalText === undefined ? {} : { refusalText }),
    };
  });
}

/** A set of its own: that of the configuration may be large. */
function setOf(denied: Iterable<string> = []): NetworkSet | undefined {
  const deny = Array.from(denied, parseNetwork).flatMap((one) => one.ok ? [one.value] : []);
  return compileAccess({ deny });
}

function isLimiting({ maxConnections, rate }: SourceLimits): boolean {
  return maxConnections > 0 || rate !== undefined;
}
