// The discovery source "http": a JSON array at a URL, asked for again and again.

import { HttpAccess } from "../asking/http_access.ts";
import { failure, success } from "../core/values/result.ts";
import { key, needed, section } from "../schema/declarations.ts";
import { HTTP_KEYS } from "../schema/http_keys.ts";
import { quote } from "../schema/quote.ts";
import { interval, line, text, timeout } from "../schema/values.ts";
import { discoverySourceKind, wrongArguments } from "./discovery_source.ts";
import { parseJsonList } from "./entries.ts";
import { polled } from "./polled.ts";

const url = text("a URL", "http://... | https://...", (text) => {
  const read = line("a URL", 2048).read(text);
  if (!read.ok) return read;
  const url = URL.parse(text);
  const isSound = url !== null && /^https?:\/\//.test(text) && url.username === "" &&
    url.password === "" && url.hash === "";
  return isSound ? success(text) : failure(
    `Cannot use ${quote(text)} as a URL: expected http:// or https://, a host, and no password`,
  );
});

const httpSection = section({ doc: "a JSON array at a URL, with source: http" }, {
  url: needed(url, {
    required: "",
    example: "https://inventory.example.org/compute.json",
    doc: 'answers ["host:port", ...] or [{"address": "host:port", "cores": 8, "weight": 1}, ...]',
  }),
  interval: key(interval, { default: "30s", doc: "how often it is asked for" }),
  timeout: key(timeout, { default: "10s", doc: "the time for one answer" }),
  ...HTTP_KEYS,
});

export const http = discoverySourceKind("http", httpSection, {
  doc: "a JSON array by HTTP",
  form: "http[s]://HOST[:PORT]/PATH",
  fromText: (text) => /^https?:\/\//.test(text) ? { url: text } : undefined,
  usage: "URL",
  fromArguments: (args) => {
    const [url] = args;
    return url === undefined || args.length > 1 ? wrongArguments(args, "a URL") : success({ url });
  },
}, (own, surroundings) => ({
  async *watch(signal) {
    using access = new HttpAccess(own);
    const url = new URL(own.url);
    const ask = async (signal: AbortSignal) => {
      const answer = await access.get(url, signal);
      return answer.ok ? parseJsonList(answer.value) : answer;
    };
    yield* polled(ask, own, surroundings, signal);
  },
}));
