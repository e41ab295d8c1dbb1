// What a frontend's mode makes of its clients. A worker has one handler for each mode; the loop tells it
// what happens to a client, by the slot of the client's record, from the client's coming until the handler
// has ended or refused it (Sessions).

/** All methods run in the worker. */
export interface ModeHandler {
  /** A client has come; its record is taken and its socket watched. */
  begin(slot: number): void;
  /** A socket of the client (side 0) or of its backend (1) has these epoll events. */
  ready(slot: number, side: number, events: number): void;
  /** It is the first in a pool's queue, and may find a place. */
  look(slot: number): void;
  /** Plans may have changed, and it is in a pool's queue. */
  replan(slot: number): void;
  /** Its deadline has come. */
  expired(slot: number): void;
  /** It has another turn, because it had more to do than one turn allows (TurnQueue). */
  goOn(slot: number): void;
  /** Its open tunnel ends at once, for this reason (records.ts). */
  end(slot: number, reason: number): void;
  /** The engine ends: the client ends at once, whatever it was at. */
  cut(slot: number): void;
}
