// Installs Debian packages that tests and benches run against, where that is possible: as root on
// Debian. No daemon that a package brings is started.

/** A program, and the Debian package that brings it. */
export interface Program {
  readonly program: string;
  readonly package: string;
}

const APT = "/usr/bin/apt-get";
const INSTALL = ["install", "-y", "-qq", "--no-install-recommends"];

export async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch {
    return false;
  }
}

/** Whether packages can be installed here. */
export async function canInstall(): Promise<boolean> {
  return Deno.uid() === 0 && await exists(APT);
}

/** Runs apt-get install with these arguments, with fresh package lists if it fails at first. */
export async function aptInstall(...args: readonly string[]): Promise<void> {
  if (await run(APT, ...INSTALL, ...args)) return;
  await run(APT, "update", "-qq");
  await run(APT, ...INSTALL, ...args);
}

/**
 * Installs what is missing, if it can.
 * @returns what is missing still; each is named on stderr, too.
 */
export async function installMissing(programs: readonly Program[]): Promise<Program[]> {
  const missing = await missingOf(programs);
  if (missing.length === 0) return [];
  if (await canInstall()) {
    const packages = [...new Set(missing.map((program) => program.package))];
    console.error(`installing ${packages.join(" ")}`);
    // Daemons that packages bring must not start on this machine: policy-rc.d(8) forbids it, unless
    // the machine has a policy of its own.
    const policy = "/usr/sbin/policy-rc.d";
    const ownPolicy = !await exists(policy);
    if (ownPolicy) await Deno.writeTextFile(policy, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
    try {
      await aptInstall(...packages);
    } finally {
      if (ownPolicy) await Deno.remove(policy);
    }
  }
  const still = await missingOf(missing);
  for (const { program, package: name } of still) {
    console.error(`missing: ${program} (Debian package ${name})`);
  }
  return still;
}

async function missingOf(programs: readonly Program[]): Promise<Program[]> {
  const missing: Program[] = [];
  for (const program of programs) if (!await exists(program.program)) missing.push(program);
  return missing;
}

async function run(command: string, ...args: readonly string[]): Promise<boolean> {
  const { success, stderr } = await new Deno.Command(command, {
    args: [...args],
    env: { DEBIAN_FRONTEND: "noninteractive" },
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) console.error(new TextDecoder().decode(stderr).trim());
  return success;
}
