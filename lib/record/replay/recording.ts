// Reads a recording into what a replay goes through: for each pool, what happened in the order of time.

import { failure, type Result, success } from "../../core/values/result.ts";
import {
  type BackendLine,
  type OpenedLine,
  parseRecordLine,
  type PickLine,
  type PoolLine,
  type RecordLine,
  type SampleLine,
} from "../record_format.ts";

/** A session that the recording saw begin. */
export interface RecordedSession {
  readonly client: string;
  /** Where it landed. */
  readonly backend: string;
  /** Whether it was sent back to where it had been. */
  readonly sticky: boolean;
  /** Picks of the connection in order; the last one is that of its backend. */
  readonly picks: readonly PickLine[];
}

/** Something that happened to a pool. */
export type ReplayEvent =
  /** All that stood before is void: the recording begins, or begins anew. */
  | { readonly kind: "reset"; readonly t: number; readonly line: PoolLine }
  | { readonly kind: "pool"; readonly t: number; readonly line: PoolLine }
  | { readonly kind: "backend"; readonly t: number; readonly line: BackendLine }
  | { readonly kind: "sample"; readonly t: number; readonly line: SampleLine }
  | { readonly kind: "arrival"; readonly t: number; readonly session: RecordedSession }
  | { readonly kind: "end"; readonly t: number; readonly session: RecordedSession }
  /** A client got no backend. */
  | {
    readonly kind: "refused";
    readonly t: number;
    readonly client: string;
    readonly picks: readonly PickLine[];
  }
  /** The end of a session that stood before the recording began. */
  | {
    readonly kind: "old_end";
    readonly t: number;
    readonly backend: string;
    readonly client: string | undefined;
  };

export interface RecordedPool {
  readonly name: string;
  readonly events: readonly ReplayEvent[];
  /** Sessions that got a backend, and clients that got none. */
  readonly sessions: number;
  readonly refused: number;
}

class Draft {
  readonly events: ReplayEvent[] = [];
  /** What has happened since the last reset. */
  segment: ReplayEvent[] = [];
  resetAt = 0;
  /** Which of the recordings in the file its pool line was last seen in. */
  recording = 0;
  readonly open = new Map<number, { session: RecordedSession; t: number }>();
  sessions = 0;
  refused = 0;
}

/**
 * The longest line that is read. The program's own longest, a pool of 1024 rows or a client that
 * tried 32 backends in vain, take less than a megabyte.
 */
export const LONGEST_LINE = 4 * 1024 ** 2;

/** Takes the lines of a recording one after the other. */
class RecordingReader {
  readonly #pools = new Map<string, Draft>();
  #lines = 0;
  /** Recordings that have begun: the balancer was started again, or lines were lost. */
  #recordings = 0;

  /** Takes the next line; the message of a bad one begins with its number. */
  add(text: string): Result<undefined> {
    this.#lines++;
    const parsed = text.length > LONGEST_LINE ? tooLong(text) : parseRecordLine(text);
    const done = parsed.ok ? this.#take(parsed.value) : parsed;
    return done.ok ? success(undefined) : failure(`line ${this.#lines}: ${done.message}`);
  }

  /** What was read; a failure when it is nothing. */
  finish(): Result<readonly RecordedPool[]> {
    if (this.#lines === 0) return failure("line 1: Cannot replay an empty recording");
    return success([...this.#pools].map(([name, draft]): RecordedPool => {
      closeSegment(draft);
      const { events, sessions, refused } = draft;
      return { name, events, sessions, refused };
    }));
  }

  #take(line: RecordLine): Result<undefined> {
    if (line.kind === "recording") {
      this.#recordings++;
      return success(undefined);
    }
    if (this.#lines === 1) {
      return failure(`Cannot begin with a line of kind "${line.kind}": expected "recording"`);
    }
    if (line.kind === "pool") {
      this.#takePool(line);
      return success(undefined);
    }
    const draft = this.#pools.get(line.pool);
    if (draft?.recording !== this.#recordings) {
      return failure(`Cannot use a line of kind "${line.kind}" before its pool's, "${line.pool}"`);
    }
    switch (line.kind) {
      case "backend":
        draft.segment.push({ kind: "backend", t: line.t, line });
        break;
      case "sample":
        draft.segment.push({ kind: "sample", t: line.t, line });
        break;
      case "refused": {
        const { client, picks } = line;
        const t = Math.max(draft.resetAt, picks.at(-1)?.t ?? line.t);
        draft.segment.push({ kind: "refused", t, client, picks });
        draft.refused++;
        break;
      }
      case "opened":
        takeOpened(draft, line);
        break;
      case "closed": {
        const { tunnel, backend, client } = line;
        const open = draft.open.get(tunnel);
        draft.open.delete(tunnel);
        const t = Math.max(line.t, open?.t ?? 0);
        if (open === undefined) draft.segment.push({ kind: "old_end", t, backend, client });
        else draft.segment.push({ kind: "end", t, session: open.session });
      }
    }
    return success(undefined);
  }

  #takePool(line: PoolLine): void {
    const draft = this.#pools.get(line.pool) ?? new Draft();
    this.#pools.set(line.pool, draft);
    const { t } = line;
    if (draft.recording === this.#recordings) {
      draft.segment.push({ kind: "pool", t, line });
      return;
    }
    closeSegment(draft);
    draft.open.clear();
    draft.recording = this.#recordings;
    draft.resetAt = t;
    draft.events.push({ kind: "reset", t, line });
  }
}

function takeOpened(draft: Draft, line: OpenedLine): void {
  const { tunnel, t, client, backend, sticky = false, picks } = line;
  const session = { client, backend, sticky, picks };
  // The place was taken when the last pick was made.
  const at = Math.max(draft.resetAt, picks.at(-1)?.t ?? t);
  draft.open.set(tunnel, { session, t: at });
  draft.segment.push({ kind: "arrival", t: at, session });
  draft.sessions++;
}

/** Workers tell what they did a moment later, and not all at once: by time, and as told among equals. */
function closeSegment(draft: Draft): void {
  draft.segment.sort((a, b) => a.t - b.t);
  for (const event of draft.segment) draft.events.push(event);
  draft.segment = [];
}

/**
 * Reads a recording from pieces of its text. What follows the last newline was being written and is left
 * out.
 */
export async function readRecording(
  pieces: AsyncIterable<string>,
): Promise<Result<readonly RecordedPool[]>> {
  const reader = new RecordingReader();
  let rest = "";
  for await (const piece of pieces) {
    const end = piece.lastIndexOf("\n");
    const lines = end === -1 ? [] : (rest + piece.slice(0, end)).split("\n");
    rest = end === -1 ? rest + piece : piece.slice(end + 1);
    // A line without an end would be collected for ever.
    if (rest.length > LONGEST_LINE) lines.push(rest);
    for (const line of lines) {
      const added = reader.add(line);
      if (!added.ok) return added;
    }
  }
  return reader.finish();
}

function tooLong({ length }: string): Result<never> {
  return failure(
    `Cannot read ${length} or more characters in one line: expected at most ${LONGEST_LINE}`,
  );
}
