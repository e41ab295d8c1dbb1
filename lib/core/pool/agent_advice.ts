// What the agent of a backend says of it in HAProxy's agent-check protocol, as values, and what holds
// after several answers: a word that an answer leaves out stands as it was said last.

/** The words of one answer. Of several in one category, the last counts. */
export interface AgentAdvice {
  /** Its share of the configured weight, 0 to {@linkcode MAX_SHARE}: "75%" is 0.75. */
  readonly share?: number;
  /** Most sessions at a time; 0: no limit. */
  readonly maxConnections?: number;
  /** drain, maint: no new sessions; ready ends either. */
  readonly admin?: "ready" | "drain" | "maint";
  /** down, fail, stopped: no new sessions; up ends any of them. */
  readonly health?: "up" | "down" | "fail" | "stopped";
  /** What stands behind the sharp, printable; never empty. */
  readonly description?: string;
  /** Words that mean nothing, printable: the first of them. */
  readonly unknown?: string;
}

/** The highest share: weights end at 256 times the usual one, as HAProxy's do. */
export const MAX_SHARE = 256;

/** Writes an answer for people: `75%, maxconn 30, drain (kernel update)`. */
export function describeAdvice(advice: AgentAdvice): string {
  const { share, maxConnections, admin, health, description, unknown } = advice;
  const words = [
    ...(share === undefined ? [] : [describeShare(share)]),
    ...(maxConnections === undefined ? [] : [`maxconn ${maxConnections}`]),
    ...(admin === undefined ? [] : [admin]),
    ...(health === undefined ? [] : [health]),
  ].join(", ");
  const said = words === "" ? "nothing" : words;
  const why = description === undefined ? "" : ` (${description})`;
  return `${said}${why}${unknown === undefined ? "" : `, and "${unknown}", which means nothing`}`;
}

/** What an agent has said so far. */
export class AgentStanding {
  #share: number | undefined;
  #maxConnections: number | undefined;
  #admin: string | undefined;
  #health: string | undefined;
  #last: AgentAdvice = {};

  /** See {@linkcode AgentAdvice.share}; undefined when it has never said one. */
  get share(): number | undefined {
    return this.#share;
  }

  /** See {@linkcode AgentAdvice.maxConnections}; undefined when it has never said one. */
  get maxConnections(): number | undefined {
    return this.#maxConnections;
  }

  /** The last answer. */
  get last(): AgentAdvice {
    return this.#last;
  }

  /** Why no new session may go there, in the agent's words; undefined when one may. */
  get objection(): string | undefined {
    const said = [
      this.#health,
      this.#admin,
      this.#share === 0 ? describeShare(0) : undefined,
    ].filter((word) => word !== undefined);
    return said.length === 0 ? undefined : said.join(", ");
  }

  /** Takes in an answer. */
  apply(advice: AgentAdvice): void {
    const { share, maxConnections, admin, health, description } = advice;
    const why = description === undefined ? "" : ` (${description})`;
    if (share !== undefined) this.#share = share;
    if (maxConnections !== undefined) this.#maxConnections = maxConnections;
    if (admin !== undefined) this.#admin = admin === "ready" ? undefined : admin + why;
    if (health !== undefined) this.#health = health === "up" ? undefined : health + why;
    this.#last = advice;
  }
}

function describeShare(share: number): string {
  return `${Math.round(share * 100)}%`;
}
