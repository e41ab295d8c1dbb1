// A running proxy: started, timed until it serves, its processor time and memory read.

import { DEADLINE_MS, waitFor } from "../../support/wait_for.ts";
import { freePort } from "../../support/processes.ts";
import type { Built } from "./build.ts";
import { Child } from "./children.ts";
import type { SubjectName } from "./figures.ts";
import { cpuSecondsOf, residentBytesOf, userSecondsOf } from "./proc.ts";
import { capacityOf, ourCommand, ourConfig, recipe } from "./rivals.ts";

/** What is measured: a proxy, or the backend itself. */
export interface Subject {
  readonly name: SubjectName;
  readonly port: number;
  /** Processor seconds used so far; none for the direct connection. */
  cpuSeconds(): Promise<number>;
  /** What of them was spent outside the kernel. */
  userSeconds(): Promise<number>;
}

/** What all proxies of a bench share. */
export interface Site {
  readonly built: Built;
  readonly backendPort: number;
  /** How many files a process may open. */
  readonly openFiles: number;
  /** Where folders of proxies are made. */
  readonly folder: string;
}

export class Proxy implements Subject, AsyncDisposable {
  private constructor(
    readonly name: SubjectName,
    readonly port: number,
    readonly child: Child,
    /** From its start as a process until it had relayed an exchange, in milliseconds. */
    readonly startupMs: number,
    readonly scraping: Disposable | undefined,
  ) {}

  /** Starts a proxy and waits until it serves. */
  static async start(name: Exclude<SubjectName, "direct">, site: Site): Promise<Proxy> {
    const port = freePort();
    const folder = await Deno.makeTempDir({ dir: site.folder, prefix: `${name}-` });
    const place = {
      listen: port,
      backend: site.backendPort,
      capacity: capacityOf(name, site.openFiles),
    };
    const { files, command, says, scraped } = recipe(name, folder, place, site.built);
    for (const [file, text] of Object.entries(files)) {
      await Deno.writeTextFile(`${folder}/${file}`, text);
    }
    const begin = performance.now();
    const child = new Child(command);
    try {
      await untilServed(port, child);
      const startupMs = performance.now() - begin;
      if (says !== undefined) {
        await waitFor(`"${says}" in the log of ${name}`, () => child.stderr.includes(says));
      }
      const scraping = scraped === undefined ? undefined : scrape(scraped);
      return new Proxy(name, port, child, startupMs, scraping);
    } catch (error) {
      await child[Symbol.asyncDispose]();
      throw error;
    }
  }

  get ended(): boolean {
    return this.child.code !== undefined;
  }

  async cpuSeconds(): Promise<number> {
    return await cpuSecondsOf(this.child.pid);
  }

  async userSeconds(): Promise<number> {
    return await userSecondsOf(this.child.pid);
  }

  async residentBytes(): Promise<number> {
    return await residentBytesOf(this.child.pid);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.scraping?.[Symbol.dispose]();
    await this.child[Symbol.asyncDispose]();
  }
}

const SCRAPE_MS = 1000;

/** Reads the metrics of a balancer again and again. */
function scrape(socket: string): Disposable {
  const timer = setInterval(async () => {
    try {
      using conn = await Deno.connect({ transport: "unix", path: socket });
      await conn.write(new TextEncoder().encode("GET /metrics HTTP/1.1\r\nHost: bench\r\n\r\n"));
      const buffer = new Uint8Array(65_536);
      while (await conn.read(buffer) !== null);
    } catch {
      // The balancer has ended.
    }
  }, SCRAPE_MS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/** Tries until an exchange of 64 bytes has gone through; every attempt is over within a second. */
async function untilServed(port: number, child: Child): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  while (!await exchange(port)) {
    if (child.code !== undefined) {
      throw new Error(`It ended with ${child.code}: ${child.stderr.trim()}`);
    }
    if (performance.now() > deadline) throw new Error(`It does not serve: ${child.stderr.trim()}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

async function exchange(port: number): Promise<boolean> {
  try {
    using conn = await Deno.connect({ hostname: "127.0.0.1", port });
    const timer = setTimeout(() => conn.close(), 1_000);
    try {
      const message = new Uint8Array(64).fill("E".charCodeAt(0));
      if (await conn.write(message) !== message.length) return false;
      for (let got = 0; got < message.length;) {
        const n = await conn.read(message.subarray(got));
        if (n === null) return false;
        got += n;
      }
      return true;
    } finally {
      clearTimeout(timer);
    }
  } catch {
    return false;
  }
}

/** Why our program does not take an engine; undefined when it does. */
export async function engineRefusal(engine: string, site: Site): Promise<string | undefined> {
  const folder = await Deno.makeTempDir({ dir: site.folder, prefix: `check-${engine}-` });
  await Deno.writeTextFile(
    `${folder}/lb.conf`,
    ourConfig(folder, { listen: 1, backend: 2, capacity: 1 }),
  );
  await using child = new Child(ourCommand("check", engine, folder));
  return await child.ended() === 0 ? undefined : child.stderr.trim().replaceAll(/\s*\n\s*/g, " / ");
}
