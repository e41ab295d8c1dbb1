// A PULL socket towards one endpoint: dials, dials again, and takes no more messages than its owner wants. It says
// by the back-channel how many that are.

import { type Clock, jittered, type Random } from "../core/timing/clock.ts";
import { withDeadline } from "../core/timing/with_deadline.ts";
import type { Address } from "../core/values/address.ts";
import { formatDuration } from "../core/values/duration.ts";
import { formatWord } from "./back_channel.ts";
import { formatEndpoint } from "./endpoint.ts";
import { PULL } from "./framing.ts";
import { BUFFER_BYTES, endReason, SpError, SpLink } from "./link.ts";

export interface PullerOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** A longer message ends the connection. lbtk's own proxies take 128 bytes. */
  readonly maxBytes: number;
  /**
   * What is said first on the back-channel, each time that a connection is made, before anything is asked
   * for: `have ADDRESS N` for what stands. What is sent afterwards is not lost, so nothing is counted twice.
   */
  readonly greeting?: () => readonly string[];
  /** Takes one message, never an empty one. */
  readonly onMessage: (bytes: Uint8Array) => void;
  /** Told "connected", or why it is not, whenever that is another than before. */
  readonly onState: (state: string) => void;
}

const CONNECT_MS = 5000;
/** Waits between two attempts: twice as long each time, as nanomsg and lbtk have it. */
const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 60_000;
/** A connection that has lasted so long was a good one. */
const GOOD_MS = 1000;
/** What one message is thought to take: of a peer that does not heed `want`, not much more is read. */
const USUAL_BYTES = 64;

const encoder = new TextEncoder();

export class Puller implements AsyncDisposable {
  readonly #address: Address;
  readonly #options: PullerOptions;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #link: SpLink | undefined;
  /** Messages that are asked for and have not come. */
  #wanted = 0;
  #wantsMore = Promise.withResolvers<void>();
  #state = "";

  constructor(endpoint: Address, options: PullerOptions) {
    this.#address = endpoint;
    this.#options = options;
    this.#running = this.#run();
  }

  /** Asks for so many more messages. What has not come yet is asked for anew after each connect. */
  want(count: number): void {
    this.#wanted += count;
    this.send(formatWord({ kind: "want", count }));
    this.#wantsMore.resolve();
    this.#wantsMore = Promise.withResolvers();
  }

  /** Says something on the back-channel; lost while there is no connection, or none that takes it. */
  send(text: string): void {
    this.#link?.put(encoder.encode(text));
  }

  /** Ends the connection at once. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#link?.close("stopped");
    this.#wantsMore.resolve();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock, random } = this.#options;
    const { signal } = this.#stop;
    for (let waitMs = FIRST_WAIT_MS; !signal.aborted;) {
      const startedMs = clock.now();
      const reason = await this.#connection();
      if (signal.aborted) return;
      const isGood = this.#state === "connected" && clock.now() - startedMs >= GOOD_MS;
      this.#tell(reason);
      if (isGood) waitMs = FIRST_WAIT_MS;
      await clock.sleep(jittered(waitMs, random), signal).catch(() => {});
      waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS);
    }
  }

  #tell(state: string): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#options.onState(state);
  }

  /** Makes a connection and goes by it to its end. @returns why it has ended. */
  async #connection(): Promise<string> {
    const place = formatEndpoint(this.#address);
    try {
      await using link = await this.#dial();
      await link.greeted();
      this.#tell("connected");
      link.beat(encoder.encode(formatWord({ kind: "want", count: 0 })));
      return await this.#receive(link);
    } catch (error) {
      return endReason(error, place);
    } finally {
      this.#link = undefined;
    }
  }

  /** Connects, and says in one write who we are, what stands and what is wanted. */
  async #dial(): Promise<SpLink> {
    const { clock, maxBytes, greeting } = this.#options;
    const address = this.#address;
    const late = () => new SpError(`no connection within ${formatDuration(CONNECT_MS)}`);
    const conn = await withDeadline(
      clock,
      CONNECT_MS,
      async (signal) => {
        try {
          return address.transport === "unix"
            ? await Deno.connect({ transport: "unix", path: address.path })
            : await Deno.connect({ hostname: address.host, port: address.port, signal });
        } catch (error) {
          throw signal.aborted ? signal.reason : error;
        }
      },
      this.#stop.signal,
      late,
    );
    const link: SpLink = new SpLink(conn, {
      clock,
      own: PULL,
      mostBytes: maxBytes,
      // It reads after all, so it is to be told anew what stands and what is wanted.
      drained: (lost) => lost && link.close("has not read for long"),
    });
    this.#link = link;
    if (this.#stop.signal.aborted) link.close("stopped");
    for (const text of greeting?.() ?? []) this.send(text);
    this.send(formatWord({ kind: "want", count: this.#wanted }));
    return link;
  }

  /** Takes messages until the connection fails. */
  async #receive(link: SpLink): Promise<string> {
    for (;;) {
      const most = USUAL_BYTES * Math.max(this.#wanted, 1);
      const message = await link.next(Math.min(most, BUFFER_BYTES));
      if (message.length === 0) {
        link.beats = true;
        continue;
      }
      // One that is ours sends none too many; of others the rest waits here, and their socket fills.
      while (this.#wanted === 0 && !this.#stop.signal.aborted) await this.#wantsMore.promise;
      if (this.#stop.signal.aborted) return "stopped";
      this.#wanted--;
      this.#options.onMessage(message);
    }
  }
}
