// Says what a test needs of the machine. Without it the test is skipped and says why; with CI=true
// it fails, so that nobody ships on skipped tests.

const told = new Set<string>();

/**
 * To be spread into a test's definition: `Deno.test({ ...needs("root", "dash"), name, fn })`.
 * @param what "root", programs (looked for in PATH and the sbin directories), or "deb:NAME" for a
 *   Debian package that lies downloaded in apt's cache.
 * @throws when something is missing and CI=true.
 */
export function needs(...what: readonly string[]): { readonly ignore: boolean } {
  const missing = what.filter((name) => {
    if (name === "root") return Deno.uid() !== 0;
    return name.startsWith("deb:") ? !isDownloaded(name.slice(4)) : !isInstalled(name);
  });
  if (missing.length === 0) return { ignore: false };
  const text = `this machine lacks ${missing.join(", ")}`;
  if (Deno.env.get("CI") === "true") throw new Error(text);
  if (!told.has(text)) console.error(`skipping tests: ${text}`);
  told.add(text);
  return { ignore: true };
}

function isInstalled(program: string): boolean {
  const places = [...(Deno.env.get("PATH") ?? "").split(":"), "/usr/sbin", "/sbin"];
  return places.some((place) => {
    try {
      return Deno.statSync(`${place}/${program}`).isFile;
    } catch {
      return false;
    }
  });
}

/** Where apt keeps the packages that it has downloaded. */
export const APT_ARCHIVES = "/var/cache/apt/archives";

function isDownloaded(packageName: string): boolean {
  try {
    return Deno.readDirSync(APT_ARCHIVES).some(({ name }) => name.startsWith(`${packageName}_`));
  } catch {
    return false;
  }
}
