// Who is where: the shape of `sessions --json` and of GET /v1/sessions.

export interface SessionsReport {
  readonly version: string;
  readonly now: string;
  /** The oldest first. */
  readonly sessions: readonly SessionReport[];
}

/** One session that stands. */
export interface SessionReport {
  /** What `kill` takes; "tunnel" in the access log. */
  readonly id: number;
  readonly frontend: string;
  readonly pool: string;
  readonly backend: string;
  readonly client: string;
  /** The balancer's own address that the backend sees: what ties its logs to the client. */
  readonly outgoing: string;
  readonly since: string;
  /** For how long nothing has moved either way. */
  readonly idleSeconds: number;
  readonly bytesToBackend: number;
  readonly bytesToClient: number;
}

/** Which sessions are asked for; what is absent does not matter. */
export interface SessionsQuery {
  readonly pool?: string;
  readonly frontend?: string;
  /** Its id, or its host. */
  readonly backend?: string;
  /** An address, its host, or the beginning of that. */
  readonly client?: string;
}

const PARAMETERS = ["pool", "backend", "client", "frontend"] as const;

/** Writes a query as the resource that the admin socket knows. */
export function sessionsResource(query: SessionsQuery): string {
  const given = PARAMETERS.flatMap((name) => {
    const value = query[name];
    return value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`];
  });
  return `/v1/sessions${given.length === 0 ? "" : `?${given.join("&")}`}`;
}

/** Reads the number of a session; undefined when it is none. */
export function parseSessionId(text: string): number | undefined {
  return /^[1-9]\d{0,14}$/.test(text) ? Number(text) : undefined;
}

/** Tells whether a value that came over the socket is a report that this version can show. */
export function isSessionsReport(value: unknown): value is SessionsReport {
  return typeof value === "object" && value !== null &&
    "now" in value && typeof value.now === "string" &&
    "sessions" in value && Array.isArray(value.sessions) &&
    value.sessions.every((one: unknown) =>
      typeof one === "object" && one !== null && "id" in one && typeof one.id === "number"
    );
}
