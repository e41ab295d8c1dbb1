// A network of its own (network namespace) with one link to this machine that can be cut: then nothing comes
// through in either direction and nobody is told, as when a switch fails. Needs root.

import { endNow, mustRun } from "./run_program.ts";
import { waitFor } from "./wait_for.ts";

/** Of the range for tests of networks (RFC 2544), which nobody has. */
function freeSubnet(): string {
  const [high = 0, low = 0] = crypto.getRandomValues(new Uint8Array(2));
  return `198.18.${high}.${low & 0xfc}`;
}

export class SeparateNetwork implements AsyncDisposable {
  readonly #holder: Deno.ChildProcess;

  private constructor(
    holder: Deno.ChildProcess,
    /** The far side of the link, where servers listen. */
    readonly address: string,
  ) {
    this.#holder = holder;
  }

  static async make(): Promise<SeparateNetwork> {
    const subnet = freeSubnet();
    const [near, far] = [1, 2].map((host) => subnet.replace(/\d+$/, (last) => `${+last + host}`));
    const holder = new Deno.Command("unshare", {
      args: ["--net", "sleep", "infinity"],
      stdin: "null",
    }).spawn();
    const network = new SeparateNetwork(holder, far ?? "");
    try {
      const own = await Deno.readLink("/proc/self/ns/net");
      await waitFor(
        "a network namespace",
        async () => await Deno.readLink(`/proc/${holder.pid}/ns/net`) !== own,
      );
      const link = `clb${holder.pid}`;
      const peer = ["type", "veth", "peer", "name", "far", "netns", `${holder.pid}`];
      await ip("link", "add", link, ...peer);
      await ip("address", "add", `${near}/30`, "dev", link);
      await ip("link", "set", link, "up");
      await network.#inside("address", "add", `${far}/30`, "dev", "far");
      await network.#inside("link", "set", "lo", "up");
      const { address } = JSON.parse(await network.#inside("-json", "link", "show", "far"))[0];
      // While the link is cut, nobody is there to say where the address is.
      const forGood = ["nud", "permanent"];
      await ip("neighbour", "replace", network.address, "lladdr", address, "dev", link, ...forGood);
      await network.mend();
      return network;
    } catch (error) {
      await network[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** A command that runs in this network; its process becomes the command's. */
  command(...command: readonly string[]): readonly [string, ...string[]] {
    return ["nsenter", `--net=/proc/${this.#holder.pid}/ns/net`, "--", ...command];
  }

  async cut(): Promise<void> {
    await this.#inside("link", "set", "far", "down");
  }

  async mend(): Promise<void> {
    await this.#inside("link", "set", "far", "up");
  }

  /** The link goes with the last process in this network. */
  async [Symbol.asyncDispose](): Promise<void> {
    await endNow(this.#holder);
  }

  async #inside(...args: readonly string[]): Promise<string> {
    return await mustRun(...this.command("ip", ...args));
  }
}

async function ip(...args: readonly string[]): Promise<void> {
  await mustRun("ip", ...args);
}
