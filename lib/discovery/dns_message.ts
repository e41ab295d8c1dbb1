// Messages of the DNS (RFC 1035, with EDNS0 of RFC 6891 and SRV of RFC 2782): questions are written, answers
// read. Pure.

import { formatIp } from "../core/values/ip.ts";
import { failure, type Result, success } from "../core/values/result.ts";

/** What can be asked for. */
export type QuestionType = "A" | "AAAA" | "SRV";

export interface Question {
  /** Without its last dot; a letter's case means nothing. */
  readonly name: string;
  readonly type: QuestionType;
}

/** A record of a kind that is of use here. */
export type DnsRecord =
  & { readonly name: string; readonly ttlSeconds: number }
  & (
    | { readonly type: "A" | "AAAA"; readonly address: string }
    | {
      readonly type: "SRV";
      readonly priority: number;
      readonly weight: number;
      readonly port: number;
      /** "": the service is decidedly not there. */
      readonly target: string;
    }
    | { readonly type: "CNAME"; readonly target: string }
    | { readonly type: "NS" }
    /** How long it may be remembered that there is nothing (RFC 2308). */
    | { readonly type: "SOA"; readonly minimumSeconds: number }
  );

export interface DnsAnswer {
  readonly id: number;
  readonly code: number;
  /** Not all of it is here: TCP has it. Nothing is read of it then. */
  readonly isTruncated: boolean;
  readonly question: { readonly name: string; readonly type: number } | undefined;
  readonly answers: readonly DnsRecord[];
  readonly authorities: readonly DnsRecord[];
  readonly additional: readonly DnsRecord[];
}

const TYPE_NUMBER = { A: 1, NS: 2, CNAME: 5, SOA: 6, AAAA: 28, SRV: 33, OPT: 41 } as const;
const CLASS_IN = 1;
/** What passes everywhere without fragments (DNS flag day 2020). */
const MOST_UDP_BYTES = 1232;
const HEADER_BYTES = 12;
const MOST_NAME_BYTES = 255;
const MOST_LABEL_BYTES = 63;

/** Writes a question that a server is to answer by recursion. */
export function encodeQuestion(
  id: number,
  { name, type }: Question,
  hasEdns: boolean,
): Result<Uint8Array> {
  const encoded = encodeName(name);
  if (!encoded.ok) return encoded;
  const word = (value: number) => [value >> 8, value & 255];
  const RECURSION_DESIRED = 0x0100;
  return success(Uint8Array.from([
    ...[id, RECURSION_DESIRED, 1, 0, 0, hasEdns ? 1 : 0].flatMap(word),
    ...encoded.value,
    ...word(TYPE_NUMBER[type]),
    ...word(CLASS_IN),
    ...(hasEdns ? [0, ...[TYPE_NUMBER.OPT, MOST_UDP_BYTES, 0, 0, 0].flatMap(word)] : []),
  ]));
}

function encodeName(name: string): Result<number[]> {
  const labels = name.replace(/\.$/, "").split(".");
  const bytes = labels.flatMap((label) => [
    label.length,
    ...Array.from(label, (letter) => letter.charCodeAt(0)),
  ]);
  // A backslash stands before what no host is called by.
  const isSound = labels.every((label) =>
    /^[!-[\]-~]+$/.test(label) && label.length <= MOST_LABEL_BYTES
  );
  return isSound && bytes.length < MOST_NAME_BYTES
    ? success([...bytes, 0])
    : failure(`Cannot ask for "${name}": expected a name of up to 253 characters`);
}

/** Whether an answer is to this question, and not to another that somebody has made up. */
export function answers({ question }: DnsAnswer, asked: Question): boolean {
  return question !== undefined && question.type === TYPE_NUMBER[asked.type] &&
    question.name === asked.name.toLowerCase().replace(/\.$/, "");
}

/** Reads an answer. What is no answer at all, or is damaged, is said. */
export function parseAnswer(bytes: Uint8Array): Result<DnsAnswer> {
  try {
    return success(new Reader(bytes).answer());
  } catch (error) {
    if (!(error instanceof Damaged)) throw error;
    return failure(`Cannot read the DNS message of ${bytes.length} bytes: ${error.message}`);
  }
}

class Damaged extends Error {}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  answer(): DnsAnswer {
    this.#need(HEADER_BYTES);
    const [id, flags] = [this.#word(), this.#word()];
    if ((flags & 0x8000) === 0) throw new Damaged("it is a question, expected an answer");
    if ((flags & 0x7800) !== 0) throw new Damaged("it is of another kind than a look-up");
    const isTruncated = (flags & 0x0200) !== 0;
    const [questions, ...counts] = [this.#word(), this.#word(), this.#word(), this.#word()];
    if (questions > 1) throw new Damaged(`it holds ${questions} questions, expected one`);
    const question = questions === 1 ? this.#question() : undefined;
    const [answers = [], authorities = [], additional = []] = isTruncated
      ? []
      : counts.map((count) => this.#records(count));
    return { id, code: flags & 15, isTruncated, question, answers, authorities, additional };
  }

  #question(): { name: string; type: number } {
    const name = this.#name();
    const type = this.#word();
    if (this.#word() !== CLASS_IN) throw new Damaged("its question is of another class than IN");
    return { name, type };
  }

  #records(count: number): DnsRecord[] {
    const records: DnsRecord[] = [];
    for (let i = 0; i < count; i++) {
      const record = this.#record();
      if (record !== undefined) records.push(record);
    }
    return records;
  }

  /** The next record; undefined: it is of no use here. */
  #record(): DnsRecord | undefined {
    const name = this.#name();
    const type = this.#word();
    const isInternet = this.#word() === CLASS_IN;
    // A number with the highest bit set counts as 0 (RFC 2181 section 8).
    const ttlSeconds = Math.max(0, this.#long() | 0);
    const length = this.#word();
    this.#need(length);
    const end = this.#at + length;
    const record = isInternet ? this.#data(type, length) : undefined;
    if (this.#at > end || (record !== undefined && this.#at !== end)) {
      throw new Damaged(`the data of a record does not end at byte ${end}`);
    }
    this.#at = end;
    return record && { name, ttlSeconds, ...record };
  }

  #data(type: number, length: number) {
    switch (type) {
      case TYPE_NUMBER.A:
      case TYPE_NUMBER.AAAA: {
        const isFour = type === TYPE_NUMBER.A;
        if (length !== (isFour ? 4 : 16)) throw new Damaged(`an address has ${length} bytes`);
        const words = Array.from({ length: length / 4 }, () => this.#long());
        return { type: isFour ? "A" : "AAAA", address: formatIp(words) } as const;
      }
      case TYPE_NUMBER.SRV: {
        const [priority, weight, port] = [this.#word(), this.#word(), this.#word()];
        return { type: "SRV", priority, weight, port, target: this.#name() } as const;
      }
      case TYPE_NUMBER.CNAME:
        return { type: "CNAME", target: this.#name() } as const;
      case TYPE_NUMBER.NS:
        this.#name();
        return { type: "NS" } as const;
      case TYPE_NUMBER.SOA: {
        this.#name();
        this.#name();
        for (let i = 0; i < 4; i++) this.#long();
        return { type: "SOA", minimumSeconds: this.#long() } as const;
      }
      default:
        return undefined;
    }
  }

  /** A name in lower case, without its last dot; what no host is called by stands as \DDD. */
  #name(): string {
    const labels: string[] = [];
    let at = this.#at;
    let bytes = 1;
    /** Every pointer leads further back, so it ends. */
    let before = at;
    let isBehind = false;
    for (;;) {
      const length = this.#bytes[at];
      if (length === undefined) throw new Damaged("a name goes on behind its end");
      if (length >= 0xc0) {
        const low = this.#bytes[at + 1];
        if (low === undefined) throw new Damaged("a name goes on behind its end");
        if (!isBehind) this.#at = at + 2;
        isBehind = true;
        at = (length & 0x3f) << 8 | low;
        if (at >= before) throw new Damaged(`a name leads from byte ${before} to byte ${at}`);
        before = at;
        continue;
      }
      if (length > MOST_LABEL_BYTES) throw new Damaged(`a label at byte ${at} is of no known kind`);
      bytes += length + 1;
      if (bytes > MOST_NAME_BYTES) throw new Damaged(`a name at byte ${this.#at} is too long`);
      const label = this.#bytes.subarray(at + 1, at + 1 + length);
      if (label.length < length) throw new Damaged("a name goes on behind its end");
      at += length + 1;
      if (length === 0) break;
      labels.push(Array.from(label, letterOf).join(""));
    }
    if (!isBehind) this.#at = at;
    return labels.join(".");
  }

  #word(): number {
    this.#need(2);
    this.#at += 2;
    return this.#view.getUint16(this.#at - 2);
  }

  #long(): number {
    this.#need(4);
    this.#at += 4;
    return this.#view.getUint32(this.#at - 4);
  }

  #need(bytes: number): void {
    if (this.#at + bytes > this.#bytes.length) {
      throw new Damaged(`it ends in the middle, at byte ${this.#bytes.length}`);
    }
  }
}

function letterOf(byte: number): string {
  const letter = String.fromCharCode(byte);
  return /[!-\-/-[\]-~]/.test(letter)
    ? letter.toLowerCase()
    : `\\${byte.toString().padStart(3, "0")}`;
}
