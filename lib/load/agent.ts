// The load source "agent": asks the agent of each backend as HAProxy's agent-check does. One connection
// an answer; what the answer means is read in agent_answer.ts, what it does is the pool's affair.

import { closeQuietly } from "../core/serving/accept_loop.ts";
import { formatAddress, type TcpAddress } from "../core/values/address.ts";
import type { Backend } from "../core/pool/backend.ts";
import type { Clock } from "../core/timing/clock.ts";
import { closeOnAbort } from "../core/serving/close_on_abort.ts";
import { sendText } from "../core/serving/http.ts";
import { messageOf } from "../core/values/errors.ts";
import { failed, type LoadResult } from "../core/pool/load.ts";
import { failure, type Result, success } from "../core/values/result.ts";
import { parseAgentAnswer } from "./agent_answer.ts";
import { key, section, type ValueOf } from "../schema/declarations.ts";
import { lineOrNothing, port } from "../schema/values.ts";
import { type LoadSource, loadSourceKind } from "./load_source.ts";
import { abortReason, connectReason, oneLine } from "../asking/reason.ts";

const agentSection = section({
  doc: "how a backend is asked with source: agent (HAProxy's agent-check)",
}, {
  port: key(port, { default: "9777", doc: "where the agents listen" }),
  send: key(lineOrNothing("an agent's line", 1023), {
    default: "",
    isUntold: true,
    doc: "a line that is sent first, for agents that want one",
  }),
});

export interface AgentOptions extends ValueOf<typeof agentSection> {
  readonly clock: Clock;
}

/** More than any answer needs. */
const MOST_ANSWER_BYTES = 4096;
const LF = 10;
const CR = 13;

export class AgentSource implements LoadSource {
  readonly #options: AgentOptions;

  constructor(options: AgentOptions) {
    this.#options = options;
  }

  async sample(backend: Backend, signal: AbortSignal): Promise<LoadResult> {
    const { port, clock } = this.#options;
    const place = backend.loadAddress ??
      (backend.address.transport === "tcp" ? { ...backend.address, port } : backend.address);
    if (place.transport !== "tcp") {
      return failed(`Cannot ask "${formatAddress(place)}" by agent: expected a TCP address`);
    }
    const line = await this.#ask(place, signal);
    if (!line.ok) return failed(line.message);
    const answer = parseAgentAnswer(line.value);
    if (!answer.ok) return failed(answer.message);
    const { advice, load } = answer.value;
    const sample = load === undefined ? {} : { sample: { ...load, takenAtMs: clock.now() } };
    return { kind: "advice", advice, ...sample };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }

  async #ask({ host, port }: TcpAddress, signal: AbortSignal): Promise<Result<string>> {
    const place = formatAddress({ transport: "tcp", host, port });
    let conn: Deno.Conn;
    try {
      conn = await Deno.connect({ hostname: host, port, signal });
    } catch (error) {
      return failure(signal.aborted ? abortReason(signal) : connectReason(error, place));
    }
    using _interrupt = closeOnAbort(signal, conn);
    try {
      if (signal.aborted) return failure(abortReason(signal));
      const { send } = this.#options;
      if (send !== "") await sendText(conn, `${send}\n`);
      return await readLine(conn);
    } catch (error) {
      return failure(signal.aborted ? abortReason(signal) : oneLine(messageOf(error)));
    } finally {
      closeQuietly(conn);
    }
  }
}

/**
 * Reads up to the first CR or LF. A line that ends otherwise is none, as to HAProxy: the rest of
 * "maxconn:30" may be missing.
 */
async function readLine(conn: Deno.Conn): Promise<Result<string>> {
  const buffer = new Uint8Array(MOST_ANSWER_BYTES);
  const textOf = (end: number) => new TextDecoder().decode(buffer.subarray(0, end));
  for (let filled = 0; filled < buffer.length;) {
    const count = await conn.read(buffer.subarray(filled));
    if (count === null) {
      return failure(
        filled === 0
          ? "the agent closed without a word"
          : `the agent closed within a line: "${oneLine(textOf(filled), 60)}"`,
      );
    }
    for (let at = filled; at < filled + count; at++) {
      if (buffer[at] === LF || buffer[at] === CR) return success(textOf(at));
    }
    filled += count;
  }
  return failure(`the agent sent no line within ${MOST_ANSWER_BYTES} bytes`);
}

export const agent = loadSourceKind("agent", agentSection, {
  doc: "the agent of each backend, such as compute-lb agent",
  tellsMemory: true,
  tellsPressure: true,
  isKernelAverage: false,
  port: (own) => own.port,
  asksBackends: () => true,
}, (own, { clock }) => new AgentSource({ ...own, clock }));
