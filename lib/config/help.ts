// What the program says of the keys of lb.conf, as lb.conf.example has them: of all of them, or of one.

import exampleConfig from "../../lb.conf.example" with { type: "text" };
import { didYouMean } from "../core/values/nearest.ts";

/** A key of the example with what stands below it. */
interface Key {
  /** Names from the top, with dots; those that administrators choose are in it. */
  readonly path: string;
  readonly text: string;
}

/** The keys that a path may mean, from its end: `sticky.ttl` is `pools.compute.sticky.ttl`. */
export function configKeys(path: string): string[] {
  return keysMeantBy(path).map((key) => key.path);
}

/**
 * Says what a key is, what it accepts and its default; without a path, of every key. Of a path that may mean
 * several, all of them; of one that means none, what is known instead.
 */
export function helpConfig(path?: string): string {
  if (path === undefined) return exampleConfig;
  const meant = keysMeantBy(path);
  if (meant.length > 0) return meant.map((key) => `${key.path}\n\n${key.text}`).join("\n");
  const guess = didYouMean(path, keys().map((key) => key.path));
  return `Unknown key "${path}": ${guess === "" ? 'expected one such as "sticky.ttl"' : guess}\n`;
}

function keysMeantBy(path: string): Key[] {
  return keys().filter((key) => `.${key.path}`.endsWith(`.${path}`));
}

function keys(): Key[] {
  const lines = exampleConfig.split("\n");
  const found: Key[] = [];
  const above: { readonly indent: number; readonly name: string }[] = [];
  lines.forEach((line, index) => {
    // Keys that are not set stand behind "# ".
    const [, margin = "", , name] = /^( *)(# )?(?:- )?([a-z_0-9]+):(?: |$)/.exec(line) ?? [];
    if (name === undefined) return;
    const indent = margin.length;
    while ((above.at(-1)?.indent ?? -1) >= indent) above.pop();
    above.push({ indent, name });
    const rest = lines.slice(index + 1);
    const end = rest.findIndex((next) => next.search(/[^ ]/) <= indent);
    const block = [line, ...end === -1 ? rest : rest.slice(0, end)];
    const text = block.map((each) => `    ${each.slice(indent)}`.trimEnd()).join("\n") + "\n";
    found.push({ path: above.map((each) => each.name).join("."), text });
  });
  return found;
}
