// What the agent answers: a line for HAProxy's agent-check and for our own load source "agent", JSON for
// whoever asks by HTTP. Pure.

import { present } from "../core/values/present.ts";
import { toThousandths } from "../core/values/thousandths.ts";
import type { Figures } from "./figures.ts";

/**
 * The line, with its end. The percentage is the idle CPU, 1 at least, since 0% would take a server out
 * that is merely busy. It says "drain" while nologin(5) keeps people out, else "ready", which also ends
 * a drain of before. The rest stands behind the sharp, where HAProxy looks for nothing.
 */
export function formatLine(figures: Figures): string {
  const { load1, cores, idle, nologin } = figures;
  const named = Object.entries({ load1, cores, idle: toThousandths(idle), ...optional(figures) })
    .map(([name, value]) => `${name}=${value}`);
  const words = [
    `${Math.max(1, Math.round(idle * 100))}%`,
    nologin ? "drain" : "ready",
    `#${named.join(" ")}`,
    ...(nologin ? ["nologin"] : []),
  ];
  return `${words.join(" ")}\n`;
}

/** The figures as a JSON object, with a newline behind it. */
export function formatJson(figures: Figures, version: string): string {
  const { load1, load5, load15, cores, idle, running, nologin } = figures;
  const object = {
    load1,
    load5,
    load15,
    cores,
    idle: toThousandths(idle),
    ...optional(figures),
    running,
    nologin,
    version,
  };
  return `${JSON.stringify(object)}\n`;
}

/** What not every machine tells, by the names of the wire; the load sources "agent" and "http" know them. */
function optional(figures: Figures): Readonly<Record<string, number>> {
  return present({
    memory_available_bytes: figures.memoryAvailableBytes,
    memory_total_bytes: figures.memoryTotalBytes,
    cpu_pressure: figures.cpuPressure,
    memory_pressure: figures.memoryPressure,
    sessions: figures.sessions,
  });
}
