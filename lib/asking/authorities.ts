// Whose certificates count for https: those of the system's own bundle besides the ones that Deno brings,
// because sites put their authority there.

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

/**
 * Makes a client that trusts these authorities, and the system's as far as they can be read.
 * @throws {Error} when one of ours cannot be read.
 */
export function clientTrusting(
  own: readonly string[],
  system: readonly string[],
): Deno.HttpClient {
  if (own.some((pem) => !pem.includes("-----BEGIN CERTIFICATE-----"))) {
    throw new Error("it holds no certificate in PEM");
  }
  const make = (caCerts: string[]) => Deno.createHttpClient({ caCerts, poolMaxIdlePerHost: 1 });
  try {
    return make([...own, ...system]);
  } catch {
    // A bundle may hold what TLS libraries of today refuse.
    return make([...own]);
  }
}
