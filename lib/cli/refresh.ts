// `compute-lb refresh KIND ARGUMENT…`: follows one discovery source and prints its lists as lbtk's refreshers
// do: an address on each line, a blank line behind the last.

import type { Clock } from "../core/timing/clock.ts";
import { formatAddress } from "../core/values/address.ts";
import { messageOf } from "../core/values/errors.ts";
import { didYouMean } from "../core/values/nearest.ts";
import { failure, type Result, success } from "../core/values/result.ts";
import type {
  DiscoveredBackend,
  DiscoveredList,
  DiscoverySource,
  DiscoverySourceKind,
  DiscoverySurroundings,
} from "../discovery/discovery_source.ts";
import { endOf, follow } from "../discovery/followed.ts";
import { DISCOVERY_SOURCE_KINDS } from "../discovery/registry.ts";
import { SYSTEM_CLOCK } from "../host/clock.ts";
import { onSignals } from "../host/signals.ts";
import { readJson } from "../schema/json.ts";
import { shown } from "./command.ts";
import { EXIT_FAILURE, EXIT_OK, EXIT_USAGE } from "./exit_code.ts";
import { complain } from "./output.ts";

/** How lists are printed. */
export interface ListForm {
  /** Whether cores, weight and max_connections stand behind an address. */
  readonly figures: boolean;
  /** For addresses without one. */
  readonly port?: number;
  /** Whether an empty list counts that may be somebody's mistake. */
  readonly clears: boolean;
}

export interface RefreshCommand extends ListForm {
  readonly kind: string;
  readonly args: readonly string[];
}

/** So often the list is printed again: within this time it is found out that nobody reads any more. */
const REPEAT_MS = 60_000;
/** So many faults of one list are told. */
const MOST_FAULTS = 5;

const KINDS: readonly DiscoverySourceKind<string, unknown>[] = DISCOVERY_SOURCE_KINDS;

/** Prints lists until TERM or INT, or until nobody reads them. */
export async function refresh(command: RefreshCommand): Promise<number> {
  const clock = SYSTEM_CLOCK;
  const random = Math.random;
  const say = (text: string) => complain(`${command.kind}: ${text}`);
  const opened = openSource(command, { clock, random, say: (_, text) => say(text), waits: say });
  if (!opened.ok) {
    complain(opened.message);
    return EXIT_USAGE;
  }
  const stop = new AbortController();
  const stopped = Promise.withResolvers<void>();
  const end = () => {
    stop.abort();
    stopped.resolve();
  };
  using _signals = onSignals({ reload: end, stop: end, leave: end });
  const printer = new ListPrinter(Deno.stdout, end);
  const lists = new Lists(command, say);
  // Whoever waits for a list of addresses without ports would wait for ever.
  let hopeless = false;
  const following = follow(opened.value, stop.signal, {
    clock,
    random,
    took: (list) => {
      const text = lists.textOf(list);
      if (text !== undefined) return printer.print(text);
      hopeless = !printer.hasPrinted && lists.lackPorts;
      if (hopeless) end();
    },
    failed: (reason) => lists.failed(reason),
  });
  const repeating = repeat(() => printer.again(), clock, stop.signal);
  await stopped.promise;
  await Promise.all([repeating, endOf(following, clock)]);
  if (hopeless) return EXIT_USAGE;
  if (printer.trouble === undefined) return EXIT_OK;
  complain(`Cannot write to stdout: ${printer.trouble}`);
  return EXIT_FAILURE;
}

/** Makes the source that arguments name. */
export function openSource(
  { kind: name, args }: Pick<RefreshCommand, "kind" | "args">,
  surroundings: DiscoverySurroundings,
): Result<DiscoverySource> {
  // lbtk's names have dashes.
  const kind = KINDS.find((known) => known.name === name.replaceAll("-", "_"));
  if (kind === undefined) {
    const names = KINDS.map((known) => known.name);
    const hint = didYouMean(name, names) || `expected ${names.join(", ")}`;
    return failure(`Unknown kind of source "${shown(name)}": ${hint}`);
  }
  const draft = kind.about.fromArguments(args);
  if (!draft.ok) return failure(`${draft.message} (refresh ${kind.name} ${kind.about.usage})`);
  const own = readJson(kind.section, JSON.stringify(draft.value));
  if (own.ok) return success(kind.create(own.value, surroundings));
  const faults = own.faults.map(({ field, message }) =>
    field === "" ? message : `${field}: ${message}`
  );
  return failure(faults.join("\n"));
}

/** The kinds of sources with what stands behind each, for the help; at most 80 columns wide. */
export function describeKinds(): string {
  const kinds = KINDS.map(({ name, about }) => `  ${name} ${about.usage}\n      ${about.doc}\n`);
  return `Kinds:\n${kinds.join("")}`;
}

/** Turns lists into what is printed, and says what is wrong with the source: each trouble once. */
export class Lists {
  readonly #form: ListForm;
  readonly #say: (text: string) => void;
  #told = "";
  #isFailing = false;
  #hasList = false;
  /** Whether the last list has backends, and none of them has a port. */
  lackPorts = false;

  constructor(form: ListForm, say: (text: string) => void) {
    this.#form = form;
    this.#say = say;
  }

  /** What is printed of a list; undefined: nothing, the last one holds. */
  textOf(list: DiscoveredList): string | undefined {
    if (this.#isFailing) this.#say("answers again");
    this.#isFailing = false;
    const lines: string[] = [];
    const faults = [...list.skipped];
    this.lackPorts = list.backends.length > 0 && this.#form.port === undefined &&
      list.backends.every(({ address }) => !address.hasPort);
    for (const backend of list.backends) {
      const line = lineOf(backend, this.#form);
      if (line.ok) lines.push(line.value);
      else faults.push(line.message);
    }
    // What is left of a list that cannot be read is no list with nothing in it.
    const isEmpty = lines.length === 0 && faults.length === 0;
    const isKept = lines.length === 0 && !(isEmpty && (list.isMeant ?? this.#form.clears));
    const more = faults.length - MOST_FAULTS;
    const kept = isEmpty ? "names no backend" : "names no backend that can be used";
    this.#tell([
      ...faults.slice(0, MOST_FAULTS).map((fault) => `left out: ${fault}`),
      ...(more > 0 ? [`left out: ${more} more`] : []),
      ...(isKept && !this.lackPorts
        ? [`${kept}: ${this.#held()}${isEmpty ? " (--on-empty clear obeys it)" : ""}`]
        : []),
    ]);
    this.#hasList ||= !isKept;
    return isKept ? undefined : lines.map((line) => `${line}\n`).join("") + "\n";
  }

  failed(reason: string): void {
    if (!this.#isFailing) this.#say(`cannot be asked, ${this.#held()}: ${reason}`);
    this.#isFailing = true;
  }

  #held(): string {
    return this.#hasList ? "its last list holds" : "there is no list yet";
  }

  /** Says what is not as it was said last. */
  #tell(texts: readonly string[]): void {
    const told = texts.join("\n");
    if (told !== this.#told) { for (const text of texts) this.#say(text); }
    this.#told = told;
  }
}

function lineOf(backend: DiscoveredBackend, { port, figures }: ListForm): Result<string> {
  const { address, hasPort } = backend.address;
  if (!hasPort && address.transport === "tcp" && port === undefined) {
    return failure(`"${address.host}" has no port: expected --port N`);
  }
  const whole = !hasPort && address.transport === "tcp" && port !== undefined
    ? { ...address, port }
    : address;
  if (!figures) return success(formatAddress(whole));
  const { cores, weight, maxConnections } = backend;
  const words = Object.entries({ cores, weight, max_connections: maxConnections })
    .flatMap(([name, value]) => value === undefined ? [] : [` ${name}=${value}`]);
  return success(formatAddress(whole) + words.join(""));
}

/** Prints lists one after the other; of several that come while a slow reader takes one, the last. */
export class ListPrinter {
  readonly #stream: { write(bytes: Uint8Array): Promise<number> };
  readonly #closed: () => void;
  #last: string | undefined;
  #next: string | undefined;
  #isWriting = false;
  /** Why stdout did not take a list; a reader that has left is no trouble. */
  trouble: string | undefined;

  /** @param closed told when nothing can be written any more. */
  constructor(stream: { write(bytes: Uint8Array): Promise<number> }, closed: () => void) {
    this.#stream = stream;
    this.#closed = closed;
  }

  get hasPrinted(): boolean {
    return this.#last !== undefined;
  }

  /** Prints a list, unless it is what was printed last. */
  print(text: string): void {
    if (text === this.#last) return;
    this.#last = text;
    this.again();
  }

  /** Prints the last list once more. */
  again(): void {
    this.#next = this.#last;
    if (this.#isWriting) return;
    this.#isWriting = true;
    this.#write().catch((error: unknown) => {
      if (!(error instanceof Deno.errors.BrokenPipe)) this.trouble = messageOf(error);
      this.#closed();
    });
  }

  async #write(): Promise<void> {
    while (this.#next !== undefined) {
      const bytes = new TextEncoder().encode(this.#next);
      this.#next = undefined;
      for (let at = 0; at < bytes.length;) at += await this.#stream.write(bytes.subarray(at));
    }
    this.#isWriting = false;
  }
}

async function repeat(act: () => void, clock: Clock, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(REPEAT_MS, signal).then(act, () => {});
  }
}
