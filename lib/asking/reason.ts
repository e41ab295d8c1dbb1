// The words in which load sources say why there is no sample: for an administrator, on one line.

import { classify, messageOf } from "../core/values/errors.ts";

/** Foreign text for a log line: control characters replaced, cut at `longest` characters. */
export function oneLine(text: string, longest = 200): string {
  // deno-lint-ignore no-control-regex -- control characters are what this is about
  const clean = text.trim().replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, " ").trim();
  return clean.length <= longest ? clean : `${clean.slice(0, longest - 3)}...`;
}

/** The last line of a program's complaints that says something. */
export function lastLine(text: string): string {
  return oneLine(text.trimEnd().split(/[\r\n]/).at(-1) ?? "");
}

/** Why a connection to `place` ("10.0.0.5:5666") failed. */
export function connectReason(error: unknown, place: string): string {
  switch (classify(error)) {
    case "refused":
      return `connection refused (${place})`;
    case "unreachable":
      return `no route to host (${place})`;
    case "timeout":
      return `connection timed out (${place})`;
    case "name_not_found":
      return noSuchName(place);
    case "reset":
      return `connection reset (${place})`;
    case "out_of_descriptors":
      return oneLine(messageOf(error));
    default:
      return `${oneLine(messageOf(error))} (${place})`;
  }
}

/** Why a name was not found. A resolver that gets no descriptor says that there is no such name. */
export function noSuchName(place: string): string {
  try {
    Deno.openSync("/dev/null").close();
  } catch (error) {
    if (classify(error) === "out_of_descriptors") return messageOf(error);
  }
  return `host name not found (${place})`;
}

/**
 * What an aborted signal says: the message of the error that its owner aborted it with, such as "no
 * answer within 2s".
 */
export function abortReason(signal: AbortSignal): string {
  const reason: unknown = signal.reason;
  // AbortSignal.timeout() and abort() without a reason have nothing of their own to say.
  if (reason instanceof DOMException) {
    return reason.name === "TimeoutError" ? "no answer in time" : "stopped";
  }
  return oneLine(messageOf(reason));
}
