// Asks name servers, by UDP and where an answer is too long for that by TCP. Deno.resolveDns tells no TTL, and
// not an empty answer from a missing name.
//
// node:dgram, because Deno.listenDatagram is there with --unstable-net alone; loaded when it is used, for it
// takes 10 ms.

import { abortReason, connectReason } from "../asking/reason.ts";
import { closeOnAbort } from "../core/serving/close_on_abort.ts";
import { closeQuietly } from "../core/serving/accept_loop.ts";
import { writeAll } from "../core/serving/write_all.ts";
import type { Clock } from "../core/timing/clock.ts";
import { withDeadline } from "../core/timing/with_deadline.ts";
import { formatAddress, type TcpAddress } from "../core/values/address.ts";
import { messageOf } from "../core/values/errors.ts";
import { describeDuration } from "../core/values/duration.ts";
import { failure, type Result, success } from "../core/values/result.ts";
import {
  answers,
  type DnsAnswer,
  type DnsRecord,
  encodeQuestion,
  parseAnswer,
  type Question,
} from "./dns_message.ts";

/** How long a server has to answer, in the first round and in the second. */
const TRY_MS: readonly number[] = [1000, 2000];
/** Aliases one behind the other. */
const MOST_ALIASES = 8;

const NO_ERROR = 0;
const FORMAT_ERROR = 1;
const NO_SUCH_NAME = 3;
/** Words for codes of errors (RFC 1035 section 4.1.1). */
const CODE_WORDS: readonly (string | undefined)[] = [
  undefined,
  "cannot read the question (FORMERR)",
  "it has failed (SERVFAIL)",
  undefined,
  "does not know such questions (NOTIMP)",
  "refuses to answer (REFUSED)",
];

/** The records of a name, with its aliases followed; none of them: it has none. */
export interface Found {
  readonly records: readonly DnsRecord[];
  /** Records that the server sent along. */
  readonly additional: readonly DnsRecord[];
  /** How long this holds; undefined: the server does not say. */
  readonly ttlSeconds: number | undefined;
}

/** Looks a whole name up. @returns why it could not be, where no server gives an answer of use. */
export async function lookUp(
  question: Question,
  servers: readonly TcpAddress[],
  clock: Clock,
  signal: AbortSignal,
): Promise<Result<Found>> {
  let { name } = question;
  let ttlSeconds: number | undefined;
  for (let asks = 0; asks <= MOST_ALIASES; asks++) {
    const asked = await askServers({ ...question, name }, servers, clock, signal);
    if (!asked.ok) return asked;
    const { code, answers, authorities, additional } = asked.value;
    const aliases = followed(answers, name, question.type);
    if (aliases === undefined) break;
    const { end, records, ttls } = aliases;
    ttlSeconds = shortest([ttlSeconds, ...ttls]);
    if (records.length > 0) return success({ records, additional, ttlSeconds });
    const soa = authorities.find((record) => record.type === "SOA");
    if (code !== NO_SUCH_NAME && soa === undefined) {
      // A server that tells of an alias alone is asked for its target.
      if (end !== name) {
        name = end;
        continue;
      }
      if (authorities.some(({ type }) => type === "NS")) {
        return failure(`${name}: the name server names others only: expected one that recurses`);
      }
    }
    // How long it holds that there is nothing (RFC 2308 section 5).
    const negative = soa && Math.min(soa.ttlSeconds, soa.minimumSeconds);
    return success({ records, additional, ttlSeconds: shortest([ttlSeconds, negative]) });
  }
  return failure(`${question.name}: it has more than ${MOST_ALIASES} aliases`);
}

/** What a name has by an answer, and what it is an alias of in the end; undefined: there seems to be none. */
function followed(answers: readonly DnsRecord[], name: string, type: Question["type"]) {
  const ttls: number[] = [];
  let end = name.toLowerCase();
  for (let aliases = 0; aliases < MOST_ALIASES; aliases++) {
    const own = answers.filter((record) => record.name === end);
    const records = own.filter((record) => record.type === type);
    const alias = own.find((record) => record.type === "CNAME");
    if (records.length > 0 || alias === undefined) {
      return { end, records, ttls: [...ttls, ...records.map(({ ttlSeconds }) => ttlSeconds)] };
    }
    ttls.push(alias.ttlSeconds);
    end = alias.target;
  }
  return undefined;
}

/** The shortest of those that are known. */
export function shortest(all: readonly (number | undefined)[]): number | undefined {
  const known = all.filter((one) => one !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}

/** Asks one server after the other, all of them twice. */
async function askServers(
  question: Question,
  servers: readonly TcpAddress[],
  clock: Clock,
  signal: AbortSignal,
): Promise<Result<DnsAnswer>> {
  const reasons = new Map<string, string>();
  for (const ms of TRY_MS) {
    for (const server of servers) {
      const late = () => new Error(`no answer within ${describeDuration(ms)}`);
      const asked = await withDeadline(
        clock,
        ms,
        (signal) => askServer(question, server, signal),
        signal,
        late,
      );
      if (signal.aborted) return failure(abortReason(signal));
      if (asked.ok) return asked;
      reasons.set(formatAddress(server), asked.message);
    }
  }
  const all = [...reasons].map(([server, reason]) => `name server ${server}: ${reason}`);
  return failure(`${question.name}: ${all.join("; ")}`);
}

/** Asks one server once; without EDNS where it does not know that. */
async function askServer(
  question: Question,
  server: TcpAddress,
  signal: AbortSignal,
): Promise<Result<DnsAnswer>> {
  let answer = await exchange(question, true, server, signal);
  if (answer.ok && answer.value.code === FORMAT_ERROR) {
    answer = await exchange(question, false, server, signal);
  }
  if (!answer.ok) return answer;
  const { code } = answer.value;
  return code === NO_ERROR || code === NO_SUCH_NAME
    ? answer
    : failure(CODE_WORDS[code] ?? `answers with the error ${code}`);
}

async function exchange(
  question: Question,
  hasEdns: boolean,
  server: TcpAddress,
  signal: AbortSignal,
): Promise<Result<DnsAnswer>> {
  // Nobody may guess it: whoever can, answers in the server's place.
  const [id = 0] = crypto.getRandomValues(new Uint16Array(1));
  const query = encodeQuestion(id, question, hasEdns);
  if (!query.ok) return query;
  const isOurs = (answer: DnsAnswer) =>
    answer.id === id &&
    // A server that cannot read the question does not repeat it.
    (answers(answer, question) || (answer.code === FORMAT_ERROR && !answer.question));
  const byUdp = await exchangeByUdp(query.value, server, isOurs, signal);
  return byUdp.ok && byUdp.value.isTruncated
    ? await exchangeByTcp(query.value, server, isOurs, signal)
    : byUdp;
}

/** Waits for the answer; what is none is passed over, for anybody can send that. */
async function exchangeByUdp(
  query: Uint8Array,
  server: TcpAddress,
  isOurs: (answer: DnsAnswer) => boolean,
  signal: AbortSignal,
): Promise<Result<DnsAnswer>> {
  const { createSocket } = await import("node:dgram");
  const { promise, resolve } = Promise.withResolvers<Result<DnsAnswer>>();
  const socket = createSocket(server.host.includes(":") ? "udp6" : "udp4");
  let other = "";
  const abort = () => resolve(failure(`${abortReason(signal)}${other}`));
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  const fail = (error: unknown) => resolve(failure(messageOf(error)));
  socket.on("error", fail);
  socket.on("message", (bytes) => {
    const answer = parseAnswer(bytes);
    if (!answer.ok) other = ` (but: ${answer.message})`;
    else if (isOurs(answer.value)) resolve(answer);
    else other = " (but one to another question)";
  });
  // Connected, the socket hears this server alone.
  socket.connect(server.port, server.host, () => {
    if (!signal.aborted) socket.send(query, (error) => error && fail(error));
  });
  try {
    return await promise;
  } finally {
    signal.removeEventListener("abort", abort);
    await new Promise<void>((closed) => socket.close(closed));
  }
}

async function exchangeByTcp(
  query: Uint8Array,
  server: TcpAddress,
  isOurs: (answer: DnsAnswer) => boolean,
  signal: AbortSignal,
): Promise<Result<DnsAnswer>> {
  try {
    const connection = await Deno.connect({ hostname: server.host, port: server.port, signal });
    using _interrupt = closeOnAbort(signal, connection);
    try {
      // A length of two bytes stands before each message (RFC 1035 section 4.2.2).
      await writeAll(
        connection,
        Uint8Array.of(query.length >> 8, query.length & 255, ...query),
        signal,
      );
      const [high = 0, low = 0] = await readExactly(connection, 2);
      const answer = parseAnswer(await readExactly(connection, high << 8 | low));
      if (!answer.ok || (isOurs(answer.value) && !answer.value.isTruncated)) return answer;
      return failure("answers by TCP, but not to the question");
    } finally {
      closeQuietly(connection);
    }
  } catch (error) {
    return failure(
      signal.aborted
        ? `${abortReason(signal)} by TCP`
        : `has more to say by TCP: ${connectReason(error, formatAddress(server))}`,
    );
  }
}

/** @throws {Error} where the connection ends before. */
async function readExactly(connection: Deno.TcpConn, count: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(count);
  for (let at = 0; at < count;) {
    const read = await connection.read(bytes.subarray(at));
    if (read === null) throw new Error("connection closed in the middle of an answer");
    at += read;
  }
  return bytes;
}
