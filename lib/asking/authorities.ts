// Whose certificates count for TLS: those of the system's own bundle besides the ones that Deno brings,
// because sites put their authority there. And by which one a server knows us.

import { messageOf } from "../core/values/errors.ts";
import { failure, type Result, success } from "../core/values/result.ts";
import { oneLine } from "./reason.ts";
import { readRegularFile } from "./regular_file.ts";

/** Paths of files in PEM. */
export interface TlsFiles {
  /** Authorities to trust, too. */
  readonly ca?: string;
  /** Our certificate, with its key: for servers that want to know who asks. */
  readonly cert?: string;
  readonly key?: string;
}

/** What they hold, as Deno takes it. */
type TlsIdentity = { cert: string; key: string; caCerts: string[] } | { caCerts: string[] };

/** More than all authorities of the world. */
const MOST_BYTES = 16_777_216;

/** Where distributions keep the bundle: Debian, Red Hat, SUSE, Alpine. */
const BUNDLES: readonly string[] = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/ssl/cert.pem",
];

/** Reads the system's bundle, or the file that SSL_CERT_FILE names; empty where there is none. */
export async function systemAuthorities(): Promise<string[]> {
  const named = Deno.env.get("SSL_CERT_FILE");
  for (const path of named === undefined ? BUNDLES : [named]) {
    const text = await Deno.readTextFile(path).catch(() => "");
    if (text !== "") return [text];
  }
  return [];
}

/** Reads the files that are named, or says which is of no use. */
export async function readTlsFiles({ ca, cert, key }: TlsFiles): Promise<Result<TlsIdentity>> {
  if ((cert === undefined) !== (key === undefined)) {
    return failure(
      `Cannot use ${cert === undefined ? "key" : "cert"} alone: expected cert and key`,
    );
  }
  const authorities = ca === undefined
    ? success("")
    : await readPem(ca, "authorities", "CERTIFICATE");
  if (!authorities.ok) return authorities;
  const caCerts = ca === undefined ? [] : [authorities.value];
  if (cert === undefined || key === undefined) return success({ caCerts });
  const certificate = await readPem(cert, "a certificate", "CERTIFICATE");
  if (!certificate.ok) return certificate;
  const secret = await readPem(key, "a key", "PRIVATE KEY");
  return secret.ok ? success({ caCerts, cert: certificate.value, key: secret.value }) : secret;
}

async function readPem(path: string, as: string, kind: string): Promise<Result<string>> {
  try {
    const text = new TextDecoder().decode(await readRegularFile(path, MOST_BYTES, as));
    // Keys have words of their kind in front of "PRIVATE KEY".
    if (new RegExp(`-----BEGIN ([A-Z]+ )?${kind}-----`).test(text)) return success(text);
    return failure(`Cannot use "${path}" as ${as}: it holds no ${kind.toLowerCase()} in PEM`);
  } catch (error) {
    return failure(`Cannot use "${path}" as ${as}: ${oneLine(messageOf(error))}`);
  }
}

/**
 * Makes a client of HTTP by such files, for whoever asks to close. By TLS it trusts the system's authorities,
 * too, as far as they can be read.
 */
export async function httpClient(
  isTls: boolean,
  files: TlsFiles,
): Promise<Result<Deno.HttpClient>> {
  const own = await readTlsFiles(files);
  if (!own.ok) return own;
  const make = (system: readonly string[]) =>
    Deno.createHttpClient({
      ...own.value,
      caCerts: [...own.value.caCerts, ...system],
      poolMaxIdlePerHost: 1,
    });
  try {
    return success(make(isTls ? await systemAuthorities() : []));
  } catch {
    // A bundle may hold what TLS libraries of today refuse.
  }
  try {
    return success(make([]));
  } catch (error) {
    const names = Object.values(files).map((path) => `"${path}"`).join(", ");
    return failure(`Cannot use ${names} for TLS: ${oneLine(messageOf(error))}`);
  }
}
