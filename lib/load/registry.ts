// The load sources by the names that lb.conf knows.

import { type AgentOptions, AgentSource } from "./agent.ts";
import type { AnonymousTls } from "../core/serving/byte_channel.ts";
import type { Clock, Random } from "../core/timing/clock.ts";
import { type ExecOptions, ExecSource } from "./exec.ts";
import { type GmondOptions, GmondSource } from "./gmond.ts";
import { type HttpOptions, HttpSource } from "./http_json.ts";
import type { LoadSource } from "./load_source.ts";
import { type NrpeOptions, NrpeSource } from "./nrpe.ts";
import { type SshOptions, SshSource } from "./ssh.ts";

/** What a pool's `load` section says, and what sources need of their surroundings. */
export interface LoadSourceOptions {
  readonly nrpe: Omit<NrpeOptions, "clock" | "anonymousTls">;
  readonly ssh: Omit<SshOptions, "clock" | "random" | "program">;
  readonly exec: Omit<ExecOptions, "clock">;
  readonly agent: Omit<AgentOptions, "clock">;
  readonly gmond: Omit<GmondOptions, "clock" | "intervalMs">;
  readonly http: Omit<HttpOptions, "clock">;
  /** How often each backend is asked. */
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly random: Random;
  /** How nrpe reaches daemons with anonymous TLS; see host/libssl.ts. */
  readonly anonymousTls?: AnonymousTls;
}

const MAKERS = {
  nrpe: ({ nrpe, clock, anonymousTls }: LoadSourceOptions): LoadSource =>
    new NrpeSource({ ...nrpe, clock, ...(anonymousTls === undefined ? {} : { anonymousTls }) }),
  ssh: ({ ssh, clock, random }: LoadSourceOptions): LoadSource =>
    new SshSource({ ...ssh, clock, random }),
  exec: ({ exec, clock }: LoadSourceOptions): LoadSource => new ExecSource({ ...exec, clock }),
  agent: ({ agent, clock }: LoadSourceOptions): LoadSource => new AgentSource({ ...agent, clock }),
  gmond: ({ gmond, intervalMs, clock }: LoadSourceOptions): LoadSource =>
    new GmondSource({ ...gmond, intervalMs, clock }),
  http: ({ http, clock }: LoadSourceOptions): LoadSource => new HttpSource({ ...http, clock }),
} as const;

/** Makes the load source of that name; "none" has none. */
export function createLoadSource(
  name: keyof typeof MAKERS | "none",
  options: LoadSourceOptions,
): LoadSource | undefined {
  return name === "none" ? undefined : MAKERS[name](options);
}
