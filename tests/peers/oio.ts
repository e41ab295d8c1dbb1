// Stand-ins for OpenIO, which Debian does not have: a proxy that answers as oio-proxy's conscience does, and a
// program that prints as `oio-cluster -r` does.

/** oio-proxy: services by "NAMESPACE/TYPE", with the fields that it gives. */
export function serveOioProxy(
  services: Readonly<Record<string, readonly string[]>>,
  port = 0,
): Deno.HttpServer<Deno.NetAddr> {
  return Deno.serve({ hostname: "127.0.0.1", port, onListen: () => {} }, (request) => {
    const [, name] = /^\/v2\.0\/cs\/(.+)$/.exec(new URL(request.url).pathname) ?? [];
    const all = services[name ?? ""];
    if (all === undefined) {
      return Response.json({ status: 418, message: "Namespace not managed" }, { status: 404 });
    }
    return Response.json(all.map((addr) => ({ addr, score: 90, tags: { "tag.up": true } })));
  });
}

/** What `oio-cluster -r NS` prints of services. */
export function oioClusterLines(
  namespace: string,
  services: readonly (readonly [type: string, address: string])[],
): string {
  return services.map(([type, address]) =>
    `${namespace}|${type}|${address}|score=90|tag.vol=/srv/${type}|tag.up=true\n`
  ).join("");
}

/** Writes a program that prints what a file holds, where its arguments are those of oio-cluster. */
export async function writeOioCluster(path: string, output: string): Promise<void> {
  const script =
    `#!/bin/sh\n[ "$*" = "-r OPENIO" ] || { echo "no such namespace" >&2; exit 1; }\n` +
    `cat ${output}\n`;
  await Deno.writeTextFile(path, script, { mode: 0o755 });
}
