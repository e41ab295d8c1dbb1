// Asks a running balancer over its admin socket. HTTP/1.1 by hand: one request, one answer, close.

const TIMEOUT_MS = 5000;
/** How often a balancer that is busy is asked again. */
const BUSY_STEP_MS = 20;
const MAX_BYTES = 64 * 1024 * 1024;

/**
 * Tells whether a socket in one of the usual places can be nobody else's: in /tmp, where everybody can
 * make a folder, it must be in one that is ours and that others cannot write, as the server makes it.
 */
export async function isTrustedSocket(socket: string, uid: number | null): Promise<boolean> {
  if (!socket.startsWith("/tmp/")) return true;
  try {
    const info = await Deno.lstat(socket.slice(0, socket.lastIndexOf("/")));
    const othersMayWrite = ((info.mode ?? 0) & 0o002) !== 0;
    return info.isDirectory && (info.uid === uid || info.uid === null) && !othersMayWrite;
  } catch (error) {
    // What is not there will not answer.
    return error instanceof Deno.errors.NotFound;
  }
}

/** What a balancer answered. */
export type AdminAnswer =
  | { readonly ok: true; readonly value: unknown }
  /** `isAbsent`: no balancer listens there. `isRefusal`: one does, and has said why it gives no answer. */
  | {
    readonly ok: false;
    readonly message: string;
    readonly isAbsent: boolean;
    readonly isRefusal?: true;
  };

/** A request of another kind than to tell something. */
export interface AdminOrder {
  readonly method: string;
  /** Path and query. */
  readonly resource: string;
  /** Sent as JSON; absent: nothing. */
  readonly body?: unknown;
  readonly fields?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

/** What a balancer answered to any request, whatever that was. */
export type OrderAnswer =
  | { readonly ok: true; readonly status: number; readonly body: unknown }
  | { readonly ok: false; readonly message: string; readonly isAbsent: boolean };

/** GETs a resource and parses its JSON. */
export async function askAdmin(socket: string, resource: string): Promise<AdminAnswer> {
  const answer = await requestAdmin(socket, { method: "GET", resource });
  if (!answer.ok) return answer;
  const { status, body } = answer;
  const error = typeof body === "object" && body !== null && "error" in body ? body.error : null;
  if (status !== 200 && typeof error === "string") {
    return { ...unclear(`${socket} answers: ${error}`), isRefusal: true };
  }
  if (status !== 200) return unclear(`${socket} answered ${status}: ${JSON.stringify(body)}`);
  return { ok: true, value: body };
}

/** Sends a request and parses the JSON of its answer. */
export async function requestAdmin(
  socket: string,
  { method, resource, body, fields = {}, timeoutMs = TIMEOUT_MS }: AdminOrder,
): Promise<OrderAnswer> {
  let conn: Deno.UnixConn;
  try {
    conn = await connectTo(socket, timeoutMs);
  } catch (error) {
    if (error instanceof Deno.errors.WouldBlock) {
      return unclear(`${socket} has been too busy for ${timeoutMs / 1000} s to be asked`);
    }
    if (error instanceof Deno.errors.PermissionDenied) {
      return unclear(`Cannot ask ${socket}: permission denied, ${await describeAccess(socket)}`);
    }
    const message = `Cannot ask ${socket}: no balancer listens there`;
    return { ok: false, message, isAbsent: true };
  }
  const timer = setTimeout(() => conn.close(), timeoutMs);
  try {
    const content = new TextEncoder().encode(body === undefined ? "" : JSON.stringify(body));
    const head = Object.entries({
      host: "admin",
      connection: "close",
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...(method === "GET" ? {} : { "content-length": content.length }),
      ...fields,
    }).map(([name, value]) => `${name}: ${value}\r\n`).join("");
    await send(conn, new TextEncoder().encode(`${method} ${resource} HTTP/1.1\r\n${head}\r\n`));
    await send(conn, content);
    const text = await readAll(conn);
    const split = text.indexOf("\r\n\r\n");
    const status = /^HTTP\/1\.1 (\d{3})/.exec(text)?.[1];
    if (split === -1 || status === undefined) return unclear(`${socket} did not answer in HTTP`);
    const answered: unknown = JSON.parse(text.slice(split + 4));
    return { ok: true, status: Number(status), body: answered };
  } catch {
    return unclear(`${socket} did not answer within ${timeoutMs / 1000} s, or not in JSON`);
  } finally {
    clearTimeout(timer);
    try {
      conn.close();
    } catch {
      // The deadline has closed it.
    }
  }
}

/** Connects. Where the listener's queue is full the kernel does not wait (EAGAIN), so we do. */
async function connectTo(socket: string, timeoutMs: number): Promise<Deno.UnixConn> {
  const until = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await Deno.connect({ transport: "unix", path: socket });
    } catch (error) {
      if (!(error instanceof Deno.errors.WouldBlock) || performance.now() > until) throw error;
      await new Promise((resolve) => setTimeout(resolve, BUSY_STEP_MS));
    }
  }
}

async function send(conn: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
}

function unclear(message: string) {
  return { ok: false, message, isAbsent: false } as const;
}

/** How somebody who may not use a socket comes to use it. */
export async function describeAccess(socket: string): Promise<string> {
  const folder = socket.slice(0, socket.lastIndexOf("/")) || "/";
  // In a folder that is shut the socket itself cannot be seen.
  for (const [path, bits] of [[socket, 0o020], [folder, 0o010]] as const) {
    try {
      const { gid, mode } = await Deno.lstat(path);
      if (gid === null || gid === 0 || ((mode ?? 0) & bits) === 0) break;
      return `try sudo, or as a member of the group ${await groupName(gid)}`;
    } catch {
      // The folder tells.
    }
  }
  return "try sudo";
}

/** The name of a group of this machine, or its number. */
async function groupName(gid: number): Promise<string> {
  const groups = await Deno.readTextFile("/etc/group").catch(() => "");
  const line = groups.split("\n").find((text) => text.split(":")[2] === String(gid));
  return line?.split(":")[0] ?? String(gid);
}

async function readAll(conn: Deno.Conn): Promise<string> {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(65_536);
  let text = "";
  for (let n = await conn.read(buffer); n !== null; n = await conn.read(buffer)) {
    text += decoder.decode(buffer.subarray(0, n), { stream: true });
    if (text.length > MAX_BYTES) throw new Error("Answer is too long");
  }
  return text;
}
