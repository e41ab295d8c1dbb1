// Serves the admin socket and admin.http: HTTP/1.1, so that curl can ask, too. One request a connection; routes.ts
// says which requests there are, and gate.ts who may send them over TCP. Not Deno.serve: that ends the process when descriptors run out while it
// accepts.

import { acceptEach } from "../core/serving/accept_loop.ts";
import { type Answer, formatAnswer, sendText } from "../core/serving/http.ts";
import { type Conversation, ServedClients } from "../core/serving/served_clients.ts";
import type { Clock } from "../core/timing/clock.ts";
import { type Gate, GUARDED_FIELDS } from "./gate.ts";
import { AdminConnection, type SoundHead } from "./request.ts";
import { answerAdmin, type Balancer, isOpen } from "./routes.ts";

/** How long a client may stay, whatever it does. */
const TIMEOUT_MS = 5000;
/** What is ordered may take longer: names are looked up, a disk is waited for. */
const ORDER_MS = 60_000;
/** How long a client that has its answer may take to be gone. */
const LEAVE_MS = 1000;
/** At a time: a few people and monitors ask. */
const MOST_CLIENTS = 32;

export class AdminServer implements AsyncDisposable {
  readonly #listener: Deno.Listener;
  readonly #loop: Promise<void>;
  readonly #balancer: Balancer;
  readonly #gate: Gate | undefined;
  readonly #clients: ServedClients<Deno.Conn>;

  /**
   * @param listener closed at the end.
   * @param gate what all have to pass; undefined: whoever reaches the listener may do everything.
   */
  constructor(listener: Deno.Listener, clock: Clock, balancer: Balancer, gate?: Gate) {
    this.#listener = listener;
    this.#balancer = balancer;
    this.#gate = gate;
    this.#clients = new ServedClients({
      clock,
      most: MOST_CLIENTS,
      limitMs: TIMEOUT_MS,
      serve: (conn, conversation) => this.#serve(conn, conversation),
    });
    this.#loop = acceptEach(listener, clock, (conn) => this.#clients.admit(conn));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    // Who asks nothing, or takes no answer, must not hold up the end.
    await this.#clients[Symbol.asyncDispose]();
    await this.#loop;
  }

  async #serve(conn: Deno.Conn, conversation: Conversation): Promise<void> {
    const asked = new AdminConnection(conn);
    const head = await asked.head();
    const method = head.ok ? head.value.method : "";
    const answer = head.ok ? await this.#answer(asked, head.value, conversation) : head.answer;
    const guarded = { ...answer, fields: { ...GUARDED_FIELDS, ...answer.fields } };
    for (const piece of formatAnswer(guarded, method)) {
      await sendText(conn, piece);
      conversation.progressed();
    }
    conversation.answered();
    conversation.allow(LEAVE_MS);
    await asked.leave();
  }

  async #answer(
    connection: AdminConnection,
    head: SoundHead,
    { asked, allow }: Conversation,
  ): Promise<Answer> {
    const { method, target, fields } = head;
    const refusal = await this.#gate?.refusal(head, isOpen(method, target));
    if (refusal !== undefined) return refusal;
    const body = await connection.body(head);
    if (!body.ok) return body.answer;
    asked();
    if (method !== "GET") allow(ORDER_MS);
    return await answerAdmin(this.#balancer, {
      by: this.#gate === undefined ? "socket" : "http",
      method,
      target,
      fields,
      body: body.value,
    });
  }
}
