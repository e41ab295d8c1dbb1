// Orders about what frontends turn away: carries them out, and ends those of which the time is over.

import { type Order, ordered, withoutExpired } from "../core/administration/administration.ts";
import { messageOf } from "../core/values/errors.ts";
import type { Caller, DenialBody, Ordered, Refusal } from "../admin/orders.ts";
import type { DenialReport } from "../admin/report.ts";
import { describeOrder } from "./administration_words.ts";
import type { OrderBook } from "./order_book.ts";
import type { OrderParts, Turn } from "./order_parts.ts";
import {
  conditionFault,
  type DenialTarget,
  findDenial,
  frontendTagOf,
  isRefusal,
  refusal,
  saidBy,
  timeGiven,
} from "./order_target.ts";
import { reportDenial } from "./report.ts";

/** Networks of one frontend that are turned away by order; more belong into a file. */
const MOST_DENIALS = 10_000;

type Answered = Ordered<DenialReport | null>;

type DenialParts = Pick<
  OrderParts,
  "clock" | "log" | "inTurn" | "turnAway" | "config" | "closed"
>;

export class DenialOrders {
  readonly #parts: DenialParts;
  readonly #book: OrderBook;
  #expiring = false;

  constructor(parts: DenialParts, book: OrderBook) {
    this.#parts = parts;
    this.#book = book;
  }

  deny(
    frontend: string,
    network: string,
    { until, reason }: DenialBody,
    caller: Caller,
  ): Promise<Answered> {
    const { clock } = this.#parts;
    return this.#order(frontend, network, caller, (target) => {
      const time = timeGiven(clock, "until", until);
      if (isRefusal(time)) return time;
      const { atMs } = time;
      return {
        kind: "deny",
        ...target,
        said: saidBy(clock, caller, reason),
        ...(atMs === undefined || atMs === null ? {} : { untilMs: atMs }),
      };
    });
  }

  undeny(frontend: string, network: string, caller: Caller): Promise<Answered> {
    const said = saidBy(this.#parts.clock, caller, undefined);
    const order = (target: DenialTarget) => ({ kind: "undeny", ...target, said } as const);
    return this.#order(frontend, network, caller, order);
  }

  /** A tag that changes with what is ordered of a frontend, and with its configuration. */
  tagOf(frontend: string): string | undefined {
    return frontendTagOf(this.#parts.config(), this.#book.administration, frontend);
  }

  /** Ends those of which the time is over. */
  tick(): void {
    const { clock, log, inTurn, closed } = this.#parts;
    const { administration } = this.#book;
    if (this.#expiring || closed() !== undefined) return;
    if (withoutExpired(administration, clock.wall()) === administration) return;
    this.#expiring = true;
    inTurn(async () => {
      this.#book.forget(withoutExpired(this.#book.administration, clock.wall()));
      const refused = await this.#turnAway();
      if (refused === undefined) log.info("denials whose time is over have ended");
      return { value: undefined };
    }).catch((error: unknown) => log.error(messageOf(error)))
      .finally(() => this.#expiring = false);
  }

  #order(
    frontend: string,
    network: string,
    { ifMatch }: Caller,
    make: (target: DenialTarget) => Order | Refusal,
  ): Promise<Answered> {
    const { inTurn, closed, config, log } = this.#parts;
    const book = this.#book;
    return inTurn(async (): Promise<Turn<Answered>> => {
      const why = closed();
      if (why !== undefined) return { value: refusal(409, why) };
      const target = findDenial(config(), book.administration, frontend, network);
      if (isRefusal(target)) return { value: target };
      const fault = conditionFault(`Frontend ${frontend}`, this.tagOf(frontend), ifMatch);
      if (fault !== undefined) return { value: fault };
      const order = make(target);
      if (isRefusal(order)) return { value: order };
      const next = ordered(book.administration, order);
      if (next !== book.administration) {
        if ((next.denials.get(frontend)?.size ?? 0) > MOST_DENIALS) {
          const error = `Cannot turn away more than ${MOST_DENIALS} networks by order: ` +
            "expected them in deny of lb.conf";
          return { value: refusal(409, error) };
        }
        const unkept = await book.keep(next);
        if (unkept !== undefined) return { value: unkept };
        log.info(describeOrder(order), { event: "order", by: order.said.by });
        const refused = await this.#turnAway();
        if (refused !== undefined) return { value: refused };
      }
      const denial = book.administration.denials.get(frontend)?.get(target.network);
      const value = denial === undefined ? null : reportDenial(target.network, denial);
      const tag = this.tagOf(frontend);
      return { value: { ok: true, value, ...(tag === undefined ? {} : { tag }) } };
    });
  }

  /** Makes what is ordered hold for clients that come from then on. */
  async #turnAway(): Promise<Refusal | undefined> {
    try {
      await this.#parts.turnAway();
      return undefined;
    } catch (error) {
      const message = `It is kept, but not in effect: ${messageOf(error)}`;
      this.#parts.log.error(`an order about a frontend: ${message}`);
      return refusal(503, message);
    }
  }
}
