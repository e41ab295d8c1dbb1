// `compute-lb reload` and `compute-lb check --diff`: what a reload changes, or would change.

import { isReloadReport, type ReloadReport } from "../admin/orders.ts";
import { NO_CHANGE } from "../config/changes.ts";
import { askBalancer } from "./ask_balancer.ts";
import { EXIT_CONFIG, EXIT_FAILURE, EXIT_OK } from "./exit_code.ts";
import { findBalancer, type OrderCommand, sendOrder } from "./orders.ts";
import { complain, print, printWrapped } from "./output.ts";
import type { PlacesCommand } from "./status_places.ts";

/** The status of an answer that says that the configuration has faults. */
const FAULTY = 422;

const STANDING = "order that stands";

/** Has the configuration read again, and says what came of it. */
export async function reload(command: OrderCommand): Promise<number> {
  const found = await findBalancer(command, "reload");
  if (!found.ok) return found.exitCode;
  const answer = await sendOrder(found.socket, { method: "POST", resource: "/v1/reload" });
  if (!answer.ok) {
    complain(answer.message);
    if (answer.status !== FAULTY) return EXIT_FAILURE;
    complain('Nothing has changed; "compute-lb check" shows every error with its line');
    return EXIT_CONFIG;
  }
  const { body } = answer;
  if (!isReloadReport(body)) {
    complain("The balancer's answer does not say what changed: is it of another version?");
    return EXIT_FAILURE;
  }
  if (command.json) {
    print(JSON.stringify(body, null, 2) + "\n");
    return EXIT_OK;
  }
  printWrapped(`reloaded ${body.file}: ${body.changes}\n`);
  const met = body.standing.filter(({ meetsChange }) => meetsChange);
  for (const { text } of met) printWrapped(`${STANDING} against it: ${text}\n`);
  return EXIT_OK;
}

/**
 * Says what a reload of the running balancer would change, and which orders stand.
 * @param file the one that was checked; undefined: the usual one.
 */
export async function diff(command: PlacesCommand, file: string | undefined): Promise<number> {
  const answer = await askBalancer(command, "check --diff", "/v1/reload");
  if (!answer.ok) return answer.exitCode;
  const { report } = answer;
  if (!isReloadReport(report)) {
    complain("The balancer's answer does not say what would change: is it of another version?");
    return EXIT_FAILURE;
  }
  if (file !== undefined && !await isSameFile(file, report.file)) {
    complain(`The running balancer reads ${report.file}, and not ${file}`);
    return EXIT_FAILURE;
  }
  printWrapped(renderDiff(report));
  return EXIT_OK;
}

/** What a reload would change, and every order that stands; lines ended by newlines. */
function renderDiff({ file, changes, standing }: ReloadReport): string {
  const lines = [
    changes === NO_CHANGE
      ? `a reload of ${file} would change nothing`
      : `a reload of ${file} would change: ${changes}`,
    ...standing.map(({ text, meetsChange }) =>
      `${STANDING}${meetsChange ? " against it" : ""}: ${text}`
    ),
  ];
  return lines.map((line) => `${line}\n`).join("");
}

async function isSameFile(one: string, other: string): Promise<boolean> {
  if (one === other) return true;
  try {
    const [a, b] = await Promise.all([Deno.stat(one), Deno.stat(other)]);
    return a.ino !== null && a.ino === b.ino && a.dev === b.dev;
  } catch {
    return false;
  }
}
