// Where the Redis of a pool is: what the configuration says of it, and what its files hold.

import { readTlsFiles, systemAuthorities } from "../asking/authorities.ts";
import { oneLine } from "../asking/reason.ts";
import { readSecret } from "../asking/secret_file.ts";
import { failure } from "../core/values/result.ts";
import { key, section, type ValueOf } from "../schema/declarations.ts";
import { absolutePath, duration, HOUR, line, text, timeout } from "../schema/values.ts";
import type { RedisPlace } from "./redis_link.ts";

const DEFAULT_PORT = 6379;

const redisUrl = text("the URL of a Redis", "redis://[user@]HOST[:PORT][/DB]", (text) => {
  const read = line("a URL", 2048).read(text);
  if (!read.ok) return read;
  const url = URL.parse(text);
  // The message must not show it.
  if (url !== null && url.password !== "") {
    return failure(
      "Cannot use a URL with a password in it: expected the password in password_file",
    );
  }
  const isSound = url !== null && /^rediss?:$/.test(url.protocol) && url.hostname !== "" &&
    /^(\/\d{0,5})?$/.test(url.pathname) && url.search === "" && url.hash === "";
  return isSound ? read : failure(
    `Cannot use "${
      oneLine(text, 60)
    }": expected redis://[user@]HOST[:PORT][/DB], or rediss:// for TLS`,
  );
});

export const redisSection = section({ doc: "a pool in Redis, with source: redis" }, {
  url: key(redisUrl, {
    default: "redis://localhost",
    doc: "which Redis; rediss:// for TLS",
  }),
  key: key(line("a key", 200), {
    default: "serverPool",
    doc: "the servers in use, as JSON; beside it stand KEY:retired and KEY:lease",
  }),
  add_channel: key(line("a channel", 200), {
    default: "addServer",
    doc: "a server that is published there joins",
  }),
  remove_channel: key(line("a channel", 200), {
    default: "removeServer",
    doc: "a server that is published there leaves",
  }),
  interval: key(duration(200, HOUR), {
    default: "2s",
    doc: "how often the key is looked at; the lease is good for three times as long",
  }),
  timeout: key(timeout, { default: "2s", doc: "how long Redis may take to answer" }),
  password_file: key(absolutePath, {
    unset: "none",
    example: "/etc/compute-lb/redis-password",
    doc: "its first line is the password; read for each connection",
  }),
  ca: key(absolutePath, {
    unset: "the system's authorities",
    example: "/etc/compute-lb/redis-ca.pem",
    doc: "PEM: authorities to trust with rediss:// instead",
  }),
  cert: key(absolutePath, {
    unset: "none",
    example: "/etc/compute-lb/redis-client.pem",
    doc: "PEM: our certificate, for a Redis that wants one (tls-auth-clients)",
  }),
  cert_key: key(absolutePath, {
    unset: "none",
    example: "/etc/compute-lb/redis-client-key.pem",
    doc: "PEM: its key",
  }),
});

export type RedisOwn = ValueOf<typeof redisSection>;

/** Where the Redis is, and what it takes to get in. @throws {Error} when a file cannot be used. */
export async function redisPlace(
  { url: text, passwordFile, ca, cert, certKey }: RedisOwn,
): Promise<RedisPlace> {
  const url = new URL(text);
  const password = passwordFile === undefined
    ? undefined
    : await readSecret(passwordFile, "password");
  if (password?.ok === false) throw new Error(password.message);
  const isTls = url.protocol === "rediss:";
  const files = await readTlsFiles({
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(certKey === undefined ? {} : { key: certKey }),
  });
  if (!files.ok) throw new Error(files.message);
  const { caCerts, ...identity } = files.value;
  return {
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? DEFAULT_PORT : Number(url.port),
    database: Number(url.pathname.slice(1)),
    user: url.username === "" ? undefined : decodeURIComponent(url.username),
    password: password?.value,
    tls: isTls
      ? { ca: caCerts.length > 0 ? caCerts : await systemAuthorities(), ...identity }
      : undefined,
  };
}
