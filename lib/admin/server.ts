// The admin socket: HTTP over a unix socket, so that curl --unix-socket can ask it too.
//
//   GET /v1/status   the StatusReport

import { classify } from "../core/errors.ts";
import type { StatusReport } from "./report.ts";

export interface AdminHandlers {
  status(): StatusReport;
}

export class AdminServer implements AsyncDisposable {
  private constructor(readonly path: string, readonly server: Deno.HttpServer<Deno.UnixAddr>) {}

  /**
   * Listens. A file left behind by a process that died is replaced.
   * @throws {Error} when another process listens there, or the path cannot be used.
   */
  static async start(path: string, handlers: AdminHandlers): Promise<AdminServer> {
    await removeStale(path);
    const server = Deno.serve(
      { transport: "unix", path, onListen: () => {} },
      (request) => answer(request, handlers),
    );
    await Deno.chmod(path, 0o660);
    return new AdminServer(path, server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.shutdown();
  }
}

function answer(request: Request, handlers: AdminHandlers): Response {
  const { pathname } = new URL(request.url);
  if (pathname !== "/v1/status") return refusal(404, `no such resource: ${pathname}`);
  if (request.method !== "GET") {
    return refusal(405, `${request.method} is not allowed here: use GET`);
  }
  return Response.json(handlers.status());
}

function refusal(status: number, error: string): Response {
  return Response.json({ error }, { status });
}

async function removeStale(path: string): Promise<void> {
  try {
    (await Deno.connect({ transport: "unix", path })).close();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    if (classify(error) !== "refused") throw error;
    await Deno.remove(path);
    return;
  }
  throw new Deno.errors.AddrInUse(`Cannot listen on unix:${path}: another process listens there`);
}
