// Writes DNS answers as name servers do, for tests: by the RFC alone, with names whole or compressed.

export interface Written {
  readonly name: string;
  readonly type: number;
  readonly ttlSeconds: number;
  readonly data: readonly number[] | { readonly head: readonly number[]; readonly name: string };
}

export interface WrittenAnswer {
  readonly id: number;
  readonly flags?: number;
  readonly question?: { readonly name: string; readonly type: number };
  readonly answers?: readonly Written[];
  readonly authorities?: readonly Written[];
  readonly additional?: readonly Written[];
}

export const TYPES = { A: 1, NS: 2, CNAME: 5, SOA: 6, AAAA: 28, SRV: 33 };
/** An answer (QR) to a question with recursion (RD, RA). */
export const ANSWER = 0x8180;

export function word(value: number): number[] {
  return [(value >> 8) & 255, value & 255];
}

export function long(value: number): number[] {
  return [...word(value >>> 16), ...word(value & 0xffff)];
}

/** A message; compressed, a name that stood before is a pointer to it. */
export function writeAnswer(
  { id, flags = ANSWER, question, answers = [], authorities = [], additional = [] }: WrittenAnswer,
  isCompressed = true,
): Uint8Array<ArrayBuffer> {
  const bytes: number[] = [];
  const known = new Map<string, number>();
  const putName = (name: string) => {
    const labels = name === "" ? [] : name.split(".");
    for (const [at, label] of labels.entries()) {
      const rest = labels.slice(at).join(".");
      const before = known.get(rest);
      if (isCompressed && before !== undefined) {
        bytes.push(...word(0xc000 | before));
        return;
      }
      if (bytes.length < 0x3fff) known.set(rest, bytes.length);
      bytes.push(label.length, ...Array.from(label, (letter) => letter.charCodeAt(0)));
    }
    bytes.push(0);
  };
  const counts = [question === undefined ? 0 : 1, answers.length, authorities.length];
  bytes.push(...[id, flags, ...counts, additional.length].flatMap(word));
  if (question !== undefined) {
    putName(question.name);
    bytes.push(...word(question.type), ...word(1));
  }
  for (const { name, type, ttlSeconds, data } of [...answers, ...authorities, ...additional]) {
    putName(name);
    bytes.push(...word(type), ...word(1), ...long(ttlSeconds), 0, 0);
    const from = bytes.length;
    if ("head" in data) {
      bytes.push(...data.head);
      putName(data.name);
    } else bytes.push(...data);
    const length = bytes.length - from;
    bytes.splice(from - 2, 2, ...word(length));
  }
  return Uint8Array.from(bytes);
}

export function aRecord(name: string, address: string, ttlSeconds = 60): Written {
  return { name, type: TYPES.A, ttlSeconds, data: address.split(".").map(Number) };
}

export function cnameRecord(name: string, target: string, ttlSeconds = 60): Written {
  return { name, type: TYPES.CNAME, ttlSeconds, data: { head: [], name: target } };
}

export function srvRecord(
  name: string,
  [priority, weight, port]: readonly [number, number, number],
  target: string,
  ttlSeconds = 60,
): Written {
  const head = [priority, weight, port].flatMap(word);
  return { name, type: TYPES.SRV, ttlSeconds, data: { head, name: target } };
}

export function nsRecord(name: string, target: string): Written {
  return { name, type: TYPES.NS, ttlSeconds: 60, data: { head: [], name: target } };
}

/** Names of one letter stand in it whole. */
export function soaRecord(name: string, ttlSeconds: number, minimumSeconds: number): Written {
  const data = [1, 97, 0, 1, 98, 0, ...[1, 2, 3, 4, minimumSeconds].flatMap(long)];
  return { name, type: TYPES.SOA, ttlSeconds, data };
}
