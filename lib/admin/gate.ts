// Who may ask over TCP, and what: everybody who reaches the address may read, the token takes everything. And
// no page of another origin may have a browser ask: it could reach a loopback address that its author cannot.

import { isIpv4, isIpv6 } from "../core/values/address.ts";
import type { Answer } from "../core/serving/http.ts";
import { quote } from "../schema/quote.ts";
import { fault } from "./answers.ts";
import type { Token } from "./token.ts";

/** What of a request its gate goes by. */
export interface Visitor {
  readonly method: string;
  /** By names in lower case. */
  readonly fields: ReadonlyMap<string, string>;
}

export interface GateOptions {
  /** What this machine is called besides its addresses and localhost. */
  readonly names: readonly string[];
  readonly token: Token | undefined;
  /** Told of each request that has another token. */
  readonly onWrongToken: () => void;
}

/** Fields of every answer: what is answered is for whoever asked, and is never shown as a page. */
export const GUARDED_FIELDS: Readonly<Record<string, string>> = {
  "Cache-Control": "no-store",
  "Cross-Origin-Resource-Policy": "same-origin",
  "X-Content-Type-Options": "nosniff",
};

const REALM = 'Bearer realm="compute-lb"';

export class Gate {
  readonly #names: ReadonlySet<string>;
  readonly #onWrongToken: () => void;
  #token: Token | undefined;

  constructor({ names, token, onWrongToken }: GateOptions) {
    this.#names = new Set(["localhost", ...names.map(canonicalName)]);
    this.#onWrongToken = onWrongToken;
    this.#token = token;
  }

  /** From now on. */
  set token(token: Token | undefined) {
    this.#token = token;
  }

  /**
   * Why a request is not let through, by its head alone.
   * @param isOpen whether what it asks for is for everybody to read.
   */
  async refusal(visitor: Visitor, isOpen: boolean): Promise<Answer | undefined> {
    return this.#foreign(visitor) ?? await this.#unauthorized(visitor, isOpen) ??
      wrongBody(visitor);
  }

  /** Whether a page of another origin has a browser ask, by all that browsers tell of that. */
  #foreign({ fields }: Visitor): Answer | undefined {
    const host = fields.get("host") ?? "";
    // A foreign name that resolves to this machine would give its page our origin.
    if (!this.#isOurs(host)) {
      const known = [...this.#names].join(", ");
      const error = `Host: Cannot answer as ${quote(host)}: expected an IP address or ${known}`;
      return fault(403, error);
    }
    const site = fields.get("sec-fetch-site") ?? "none";
    const origin = fields.get("origin");
    if (site !== "none" && site !== "same-origin") {
      return fault(403, `Sec-Fetch-Site: pages of other origins may not ask (${quote(site)})`);
    }
    if (origin !== undefined && origin.toLowerCase() !== `http://${host.toLowerCase()}`) {
      return fault(403, `Origin: pages of other origins may not ask (${quote(origin)})`);
    }
    return undefined;
  }

  #isOurs(field: string): boolean {
    const [, bracketed, plain = ""] = /^(?:\[([^\]]*)\]|([^:]*))(?::\d{0,5})?$/.exec(field) ?? [];
    return bracketed === undefined
      ? isIpv4(plain) || this.#names.has(canonicalName(plain))
      : isIpv6(bracketed);
  }

  async #unauthorized({ fields }: Visitor, isOpen: boolean): Promise<Answer | undefined> {
    const given = fields.get("authorization");
    if (this.#token === undefined) {
      return isOpen ? undefined : fault(
        403,
        "Cannot do this over TCP without a token: expected admin.token_file in lb.conf",
      );
    }
    if (given === undefined) {
      return isOpen ? undefined : fault(
        401,
        "Authorization: it is missing, expected Bearer TOKEN (the one in admin.token_file)",
        { "WWW-Authenticate": REALM },
      );
    }
    const [, token] = /^Bearer +([!-~]+)$/i.exec(given) ?? [];
    if (token !== undefined && await this.#token.matches(token)) return undefined;
    this.#onWrongToken();
    return fault(401, "Authorization: this is not the token in admin.token_file", {
      "WWW-Authenticate": `${REALM}, error="invalid_token"`,
    });
  }
}

/** A browser sends no JSON to another origin without asking first. */
function wrongBody({ fields }: Visitor): Answer | undefined {
  if (Number(fields.get("content-length") ?? "0") === 0) return undefined;
  const type = fields.get("content-type") ?? "";
  if (/^application\/json *(; *charset="?utf-8"?)?$/i.test(type)) return undefined;
  return fault(415, `Content-Type: Cannot read ${quote(type)}: expected application/json`);
}

function canonicalName(name: string): string {
  return name.toLowerCase().replace(/\.$/, "");
}
