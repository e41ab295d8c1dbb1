// IP literals as numbers and back: what sockaddrs, networks and the location table are made of.

import { type Address, isIpv4, isIpv6 } from "./address.ts";

/** Words of 32 bits in an IPv4 address. */
export const IPV4_WORDS = 1;
/** Words of 32 bits in an IPv6 address. */
export const IPV6_WORDS = 4;

/**
 * Reads an IP literal into 32-bit words, the most significant first; a zone is left out.
 * @returns how many words it has: 1 or 4, or 0 when the text is no IP literal.
 */
export function readIp(text: string, words: Uint32Array): 0 | 1 | 4 {
  if (isIpv4(text)) {
    words[0] = text.split(".").reduce((word, part) => word * 256 + Number(part), 0);
    return IPV4_WORDS;
  }
  if (!isIpv6(text)) return 0;
  const groups = ipv6Groups(text.split("%")[0] ?? "");
  for (let i = 0; i < IPV6_WORDS; i++) {
    words[i] = (groups[2 * i] ?? 0) * 0x10000 + (groups[2 * i + 1] ?? 0);
  }
  return IPV6_WORDS;
}

/** Writes an address of 1 or 4 words as text: dotted decimal, or as RFC 5952 section 4 has it. */
export function formatIp(words: readonly number[] | Uint32Array): string {
  const [first = 0] = words;
  if (words.length === IPV4_WORDS) {
    return `${first >>> 24}.${(first >>> 16) & 255}.${(first >>> 8) & 255}.${first & 255}`;
  }
  const groups: number[] = [];
  for (const word of words) groups.push(word >>> 16, word & 0xffff);
  return ipv6Text(groups);
}

/** An IP literal in its one form: no zone, IPv4 out of IPv6; other text in lower case. */
export function canonicalHost(host: string): string {
  const words = new Uint32Array(IPV6_WORDS);
  const count = readIp(host, words);
  if (count === 0) return host.toLowerCase();
  const isMapped = count === IPV6_WORDS && words[0] === 0 && words[1] === 0 && words[2] === 0xffff;
  return formatIp(isMapped ? words.subarray(3) : words.subarray(0, count));
}

/** An address in the one spelling of its host; a zone stays, which leads elsewhere. */
export function canonicalAddress(address: Address): Address {
  if (address.transport === "unix" || address.host.includes("%")) return address;
  return { ...address, host: canonicalHost(address.host) };
}

/** The eight groups of 16 bits of an IPv6 literal without zone, IPv4 at its end included. */
export function ipv6Groups(literal: string): number[] {
  let text = literal;
  const tail = text.slice(text.lastIndexOf(":") + 1);
  if (tail.includes(".")) {
    const [a = 0, b = 0, c = 0, d = 0] = tail.split(".").map(Number);
    text = text.slice(0, -tail.length) +
      `${(a << 8 | b).toString(16)}:${(c << 8 | d).toString(16)}`;
  }
  const [head = "", rest] = text.split("::");
  const groups = (half: string) =>
    half === "" ? [] : half.split(":").map((group) => parseInt(group, 16));
  if (rest === undefined) return groups(head);
  const [before, after] = [groups(head), groups(rest)];
  return [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after];
}

/** The canonical text: lower case, the longest run of zero groups as "::" (RFC 5952 section 4). */
export function ipv6Text(groups: readonly number[]): string {
  let [start, length] = [-1, 1];
  for (let i = 0; i < groups.length; i++) {
    let end = i;
    while (end < groups.length && groups[end] === 0) end++;
    if (end - i > length) [start, length] = [i, end - i];
  }
  const text = (part: readonly number[]) => part.map((group) => group.toString(16)).join(":");
  if (start === -1) return text(groups);
  return `${text(groups.slice(0, start))}::${text(groups.slice(start + length))}`;
}
