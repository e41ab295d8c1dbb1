// What lb.conf.example says of one key.

import exampleConfig from "../../lb.conf.example" with { type: "text" };

/** A key of the example with what stands below it. */
interface Entry {
  /** Names from the top, with dots; those that are the reader's own are in it. */
  readonly path: string;
  readonly text: string;
}

/** The lines about keys whose path ends with this one, such as "ttl" or "sticky.ttl". */
export function describeKey(key: string): string | undefined {
  const found = entries().filter(({ path }) => `.${path}`.endsWith(`.${key}`));
  if (found.length === 0) return undefined;
  return found.map(({ path, text }) => `${path}\n\n${text}`).join("\n");
}

/** Every path, shortest first. */
export function configKeys(): string[] {
  return entries().map(({ path }) => path);
}

function entries(): Entry[] {
  const lines = exampleConfig.split("\n");
  const found: Entry[] = [];
  const above: { readonly indent: number; readonly name: string }[] = [];
  lines.forEach((line, index) => {
    // Keys that are not set stand behind "# ".
    const [, margin = "", , name] = /^( *)(# )?(?:- )?([a-z_0-9]+):(?: |$)/.exec(line) ?? [];
    if (name === undefined || /^# [A-Z]/.test(line)) return;
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
