// The names of lbtk's programs: called by one of them (`install --lbtk` makes links), the program does what
// that one did, with the arguments that it took.

/** What each of lbtk's names stands for. */
const LBTK: Readonly<Record<string, readonly string[]>> = {
  "refresh-static": ["refresh", "static"],
  "refresh-file": ["refresh", "file"],
  "refresh-zk": ["refresh", "zk"],
  "refresh-etcd": ["refresh", "etcd"],
  "refresh-dns": ["refresh", "dns"],
  "refresh-oio-cluster.sh": ["refresh", "oio_cluster"],
  "refresh-oio-proxy.py": ["refresh", "oio_proxy"],
  gen: ["gen"],
  "proxy-tcp": ["proxy"],
  "proxy-tcp-splice": ["proxy"],
  "echo-tcp": ["echo"],
  "echo-tcp-splice": ["echo"],
};

/** lbtk's names, in the order in which help lists them. */
export const LBTK_NAMES: readonly string[] = Object.keys(LBTK);

/** Set by the header of the packed file, and by tests. */
export const CALLED_AS = "COMPUTE_LB_CALLED_AS";

/** The name by which this process was called, if it can be told; programs that it runs are not told it. */
const name = findName();

function findName(): string | undefined {
  const told = Deno.env.get(CALLED_AS);
  Deno.env.delete(CALLED_AS);
  if (told !== undefined || !Deno.build.standalone) return told;
  try {
    // The path of the program itself is that of the file behind a link.
    const [path = ""] = Deno.readTextFileSync("/proc/self/cmdline").split("\0");
    return path.slice(path.lastIndexOf("/") + 1);
  } catch {
    return undefined;
  }
}

export function calledAs(): string | undefined {
  return name;
}

/** The command line that a call by this name stands for. */
export function asCalled(name: string | undefined, args: readonly string[]): readonly string[] {
  const command = name !== undefined && Object.hasOwn(LBTK, name) ? LBTK[name] : undefined;
  return command === undefined ? args : [...command, ...args];
}
