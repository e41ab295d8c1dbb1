// Whether the user that the balancer becomes can read the files that its configuration names. Root, who
// checks and starts, can read all of them, so nothing else would show it before sessions come.

import type { Config } from "../config/config.ts";
import { filesOfSource } from "../discovery/registry.ts";
import { findUnreadable, findUser } from "../host/privileges.ts";
import type { Trial } from "./trial_listen.ts";

/** One for each file that cannot be read; none where the user would not change, or is root. */
export async function tryNamedFiles(config: Config): Promise<Trial[]> {
  if (config.user === undefined || Deno.uid() !== 0) return [];
  const user = findUser(config.user);
  const trials: Trial[] = [];
  for (const [file, key] of namedFiles(config)) {
    const place = await findUnreadable(user, file);
    if (place === undefined) continue;
    const why = place === "" ? "it is not there" : place === file ? "see its mode" : `see ${place}`;
    const text = `user ${user.name}, which the balancer runs as, cannot read it: ${why} (${key})`;
    trials.push({ what: file, well: false, text });
  }
  return trials;
}

/** Files by path, each with the key that names it. */
function namedFiles({ admin, locationDatabase, frontends, pools }: Config): Map<string, string> {
  const files = new Map<string, string>();
  const add = (key: string, file: string | undefined) => {
    if (file?.startsWith("/")) files.set(file, key);
  };
  add("location_database", locationDatabase);
  add("admin.token_file", admin.tokenFile);
  for (const frontend of frontends) {
    for (const list of ["allow", "deny"] as const) {
      for (const entry of frontend[list]) {
        if ("file" in entry) add(`frontends.${frontend.name}.${list}`, entry.file);
      }
    }
  }
  for (const { name, load, backends, discovery } of pools) {
    for (const source of discovery) {
      for (const [key, path] of filesOfSource(source)) {
        add(`pools.${name}.discovery: ${source.name}.${key}`, path);
      }
    }
    const loads = new Set([load, ...backends.map((backend) => backend.load ?? load)]);
    for (const { source, ssh, nrpe, http } of loads) {
      const at = `pools.${name}: load.${source}`;
      if (source === "ssh") {
        add(`${at}.identity_file`, ssh.identityFile);
        add(`${at}.config_file`, ssh.configFile);
      } else if (source === "nrpe") {
        add(`${at}.ca`, nrpe.ca);
        add(`${at}.certificate`, nrpe.certificate);
        add(`${at}.key`, nrpe.key);
      } else if (source === "http") {
        add(`${at}.token_file`, http.tokenFile);
        add(`${at}.ca`, http.ca);
      }
    }
  }
  return files;
}
