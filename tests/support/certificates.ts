// Certificates for tests, made by openssl.

import { peerProgram } from "./require_peer.ts";
import { mustRun } from "./run_program.ts";

/**
 * Makes an authority, a server's and a client's certificate signed by it (ca, server and client, each
 * .pem and .key); P-256 is fast to make. The server is "localhost" and the address.
 */
export async function makeCertificates(directory: string, address: string): Promise<void> {
  const make = (name: string, subject: string, ...more: readonly string[]) =>
    mustRun(
      peerProgram("openssl"),
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
      ...["-days", "2", "-subj", subject],
      ...["-keyout", `${directory}/${name}.key`, "-out", `${directory}/${name}.pem`, ...more],
    );
  const signed = ["-CA", `${directory}/ca.pem`, "-CAkey", `${directory}/ca.key`];
  const leaf = [...signed, "-addext", "basicConstraints=critical,CA:FALSE"];
  await make("ca", "/CN=test authority", "-addext", "keyUsage=critical,keyCertSign");
  const names = `subjectAltName=DNS:localhost,IP:${address}`;
  await make("server", "/CN=localhost", ...leaf, "-addext", names);
  await make("client", "/CN=balancer", ...leaf, "-addext", "extendedKeyUsage=clientAuth");
  for (const name of ["server", "client"]) await Deno.chmod(`${directory}/${name}.key`, 0o644);
}
