// Brings what the bench needs: Debian's rivals, and the Go programs beside this file, built anew.

import { exists, installMissing } from "../../support/debian.ts";
import { run } from "./children.ts";
import type { RivalName } from "./figures.ts";

export const HAPROXY = "/usr/sbin/haproxy";
export const NGINX = "/usr/sbin/nginx";
export const NGINX_STREAM = "/usr/lib/nginx/modules/ngx_stream_module.so";
const GO = "/usr/bin/go";

const PROGRAMS = [
  { program: HAPROXY, package: "haproxy" },
  { program: NGINX, package: "nginx-light" },
  { program: NGINX_STREAM, package: "libnginx-mod-stream" },
  { program: GO, package: "golang-go" },
];

/** Installs what is missing where that is possible, and tells which rivals cannot run then. */
export async function missingRivals(): Promise<RivalName[]> {
  const missing = (await installMissing(PROGRAMS)).map(({ program }) => program);
  if (missing.includes(GO)) {
    throw new Error(`Cannot build the load generator without ${GO}: expected golang-go`);
  }
  const rivals: RivalName[] = [];
  if (missing.includes(HAPROXY)) rivals.push("haproxy", "haproxy-splice", "haproxy-log");
  if (missing.includes(NGINX) || missing.includes(NGINX_STREAM)) rivals.push("nginx");
  return rivals;
}

/** The programs of a bench, by path. */
export interface Built {
  readonly load: string;
  readonly goProxy: string;
}

/** Where the programs are in a folder. */
export function builtIn(folder: string): Built {
  return { load: `${folder}/load`, goProxy: `${folder}/go_proxy` };
}

/** Builds both Go programs into a folder. They use Go's own library alone, so no network is needed. */
export async function build(folder: string): Promise<Built> {
  const built = builtIn(folder);
  const sources = [["load", built.load], ["rivals/go_proxy", built.goProxy]] as const;
  for (const [source, target] of sources) {
    await run([GO, "build", "-o", target, "."], {
      cwd: new URL(source, import.meta.url).pathname,
      env: {
        GOFLAGS: "-mod=mod -buildvcs=false",
        GOPROXY: "off",
        GOTOOLCHAIN: "local",
        GOCACHE: `${folder}/go-cache`,
      },
    });
    if (!await exists(target)) throw new Error(`Cannot find ${target}: expected go to build it`);
  }
  return built;
}

/** One line on what is compared, by the programs' own words. */
export async function versions(rivals: readonly RivalName[]): Promise<string[]> {
  const told = [`Deno ${Deno.version.deno}`];
  if (rivals.some((name) => name.startsWith("haproxy"))) {
    told.push(firstVersion("HAProxy", await run([HAPROXY, "-v"])));
  }
  if (rivals.includes("nginx")) told.push(await nginxVersion());
  told.push(firstVersion("Go", await run([GO, "version"])));
  return told;
}

async function nginxVersion(): Promise<string> {
  // nginx -v speaks on stderr.
  const { stderr } = await new Deno.Command(NGINX, { args: ["-v"] }).output();
  return firstVersion("nginx", new TextDecoder().decode(stderr));
}

function firstVersion(name: string, text: string): string {
  return `${name} ${/\d+(\.\d+)+/.exec(text)?.[0] ?? "of an unknown version"}`;
}
