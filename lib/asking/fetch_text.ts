// Asks a URL for a text, within a bounded size, and says in an administrator's words why there is none.

import { messageOf } from "../core/values/errors.ts";
import { failure, type Result, success } from "../core/values/result.ts";
import { abortReason, noSuchName, oneLine } from "./reason.ts";

/** What is asked for, and how. */
export interface Request {
  readonly url: URL;
  /** One that {@linkcode httpClient} has made; absent: Deno's own. */
  readonly client?: Deno.HttpClient;
  readonly headers?: HeadersInit;
  /** Sent by POST; absent: it is a GET. */
  readonly body?: string;
  readonly signal: AbortSignal;
  /** A longer answer is none. */
  readonly mostBytes?: number;
}

/** More than a load needs, or a list of backends. */
const MOST_BYTES = 1_048_576;

/** Shorter words are no secrets. */
const SHORTEST_SECRET = 4;

/** More than a message about an error. */
const MOST_COMPLAINT_BYTES = 4096;

/** Asks once. @returns the text of an answer 200, else why there is none. Redirects are not followed. */
export async function fetchText(request: Request): Promise<Result<string>> {
  const answer = await fetchAnswer(request);
  return answer.ok ? success(answer.value.text) : answer;
}

/** The same, with the headers of the answer. */
export async function fetchAnswer(
  request: Request,
): Promise<Result<{ readonly text: string; readonly headers: Headers }>> {
  return await withAnswer(request, async (response) => {
    const text = await readBody(response, request.mostBytes ?? MOST_BYTES);
    return text.ok ? success({ text: text.value, headers: response.headers }) : text;
  });
}

/**
 * Asks for an answer that goes on: its lines are handed on as they come, until `take` says that it has
 * enough, or the answer ends. A line that is longer than `mostBytes` is an end, too.
 */
export async function fetchLines(
  request: Request,
  take: (line: string) => boolean,
): Promise<Result<void>> {
  const { mostBytes = MOST_BYTES } = request;
  return await withAnswer(request, async (response) => {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const piece of response.body ?? []) {
      const text = decoder.decode(piece, { stream: true });
      // A long line is not looked through again with each piece.
      const lines = text.includes("\n") ? (rest + text).split("\n") : [];
      rest = lines.pop() ?? rest + text;
      // Leaving the loop cancels what is still to come.
      if (lines.some((line) => line !== "" && take(line))) return success(undefined);
      if (rest.length > mostBytes) return failure(`sends a line of more than ${mostBytes} bytes`);
    }
    return success(undefined);
  });
}

async function withAnswer<T>(
  request: Request,
  read: (response: Response) => Promise<Result<T>>,
): Promise<Result<T>> {
  const { url, client, headers, body, signal } = request;
  try {
    // A redirect may lead away from whoever is to be asked.
    const response = await fetch(url, {
      ...(client === undefined ? {} : { client }),
      ...(headers === undefined ? {} : { headers }),
      ...(body === undefined ? {} : { body, method: "POST" }),
      redirect: "manual",
      signal,
    });
    if (response.status === 200) return await read(response);
    return failure(await statusReason(response, request));
  } catch (error) {
    return failure(signal.aborted ? abortReason(signal) : fetchReason(error, url.host));
  }
}

async function statusReason(response: Response, request: Request): Promise<string> {
  const place = `${request.url.host}${request.url.pathname}`;
  const location = response.headers.get("location");
  const status = `HTTP ${response.status} ${oneLine(response.statusText, 60)}`.trim();
  if (location !== null && response.status >= 300 && response.status < 400) {
    await response.body?.cancel();
    // What is secret in a URL stands behind "?", and most redirects bring it along.
    const target = oneLine(location.replace(/\?.*/s, "?..."), 120);
    return `${status} to ${target}, which is not followed (${place})`;
  }
  const complaint = oneLine(untold(await readComplaint(response), request), 120);
  return complaint === "" ? `${status} (${place})` : `${status}: ${complaint} (${place})`;
}

/** A text without what we sent to be let in, which a server may say again. */
function untold(text: string, { url, headers }: Request): string {
  const sent = [...new Headers(headers).values(), ...url.searchParams.values()];
  return sent.flatMap((value) => [value, ...value.split(" ")])
    .filter((value) => value.length >= SHORTEST_SECRET)
    .sort((one, other) => other.length - one.length)
    .reduce((left, value) => left.replaceAll(value, "..."), text);
}

/** What a server of our kind says besides the status: a JSON object with a message, or a line of text. */
async function readComplaint(response: Response): Promise<string> {
  const type = response.headers.get("content-type") ?? "";
  if (!/^(application\/json|text\/plain)\b/.test(type)) {
    await response.body?.cancel();
    return "";
  }
  const body = await readBody(response, MOST_COMPLAINT_BYTES);
  const text = body.ok ? body.value : "";
  try {
    const { message, error }: Readonly<Record<string, unknown>> = Object(JSON.parse(text));
    return [message, error].find((words) => typeof words === "string") ?? "";
  } catch {
    return type.startsWith("text/plain") ? text : "";
  }
}

/** The body as text, unless it is too large. */
async function readBody(response: Response, mostBytes: number): Promise<Result<string>> {
  const type = response.headers.get("content-type") ?? "no type";
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const piece of response.body ?? []) {
    bytes += piece.length;
    // Leaving the loop cancels what is still to come.
    if (bytes > mostBytes) {
      return failure(`answered more than ${mostBytes} bytes (${oneLine(type, 60)})`);
    }
    text += decoder.decode(piece, { stream: true });
  }
  text += decoder.decode();
  // Most who ask the wrong place meet a web page.
  return /^\s*</.test(text)
    ? failure(`Cannot read "${oneLine(text, 40)}" (${oneLine(type, 60)}) as JSON`)
    : success(text);
}

/** Deno's words for why a request failed, in an administrator's. */
function fetchReason(error: unknown, place: string): string {
  const message = messageOf(
    error instanceof Error && error.cause !== undefined ? error.cause : error,
  );
  if (/Connection refused/.test(message)) return `connection refused (${place})`;
  if (/No route to host|Network is unreachable/.test(message)) return `no route to host (${place})`;
  if (/dns error/.test(message)) return noSuchName(place);
  if (/Connection reset|connection closed before/.test(message)) {
    return `connection closed without an answer (${place})`;
  }
  if (/^error reading a body/.test(message)) {
    return `connection closed in the middle of an answer (${place})`;
  }
  const what = message.replace(/^error sending request .*?: client error \(\w+\): /, "");
  return `${oneLine(what)} (${place})`;
}
