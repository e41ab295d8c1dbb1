// A client certificate of X.509 version 1, which OpenSSL's tools make unless told otherwise, was told as
// "invalid peer certificate" with the daemon's address: the daemon got the blame, and so for a wrong key.

import { assertEquals } from "@std/assert";
import { SYSTEM_CLOCK } from "../../lib/host/clock.ts";
import { NrpeSource } from "../../lib/load/nrpe.ts";
import { Nrped } from "../peers/nrped.ts";
import { backendAt } from "../support/backends.ts";
import { Deadline } from "../support/deadline.ts";
import { requirePeer } from "../support/require_peer.ts";
import { mustRun } from "../support/run_program.ts";

Deno.test({
  ...requirePeer("nrpe", "openssl"),
  name: "what is wrong with the balancer's own certificate is said of its file",
  async fn() {
    await using nrped = await Nrped.start({ mode: "certificates", requireClientCertificate: true });
    const { ca, clientKey: key } = nrped.certificates;
    const folder = await Deno.makeTempDir();
    try {
      const [request, certificate] = [`${folder}/v1.csr`, `${folder}/v1.pem`];
      await mustRun("openssl", "req", "-new", "-key", key, "-subj", "/CN=x", "-out", request);
      const signed = ["-CA", ca, "-CAkey", ca.replace(/\.pem$/, ".key"), "-CAcreateserial"];
      await mustRun(
        ...["openssl", "x509", "-req", "-in", request, ...signed],
        ...["-CAserial", `${folder}/serial`, "-days", "2", "-out", certificate],
      );
      const reasonWith = async (own: string) => {
        const files = { ca, certificate: own, key, verifyName: true };
        await using source = new NrpeSource({
          ...{ ...files, port: nrped.port, command: "check_load", tls: "certificates" },
          clock: SYSTEM_CLOCK,
        });
        using deadline = new Deadline();
        const result = await source.sample(backendAt("127.0.0.1"), deadline.signal);
        return result.kind === "failed" ? result.reason : result.kind;
      };
      assertEquals(
        await reasonWith(certificate),
        `Cannot use the certificate "${certificate}": it is of X.509 version 1, expected version 3 ` +
          "(invalid peer certificate: Other(OtherError(UnsupportedCertVersion)))",
      );
      assertEquals(
        await reasonWith(ca),
        `Cannot use the key "${key}": it is not the one of "${ca}" ` +
          "(keys may not be consistent: KeyMismatch)",
      );
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
