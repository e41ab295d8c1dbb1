// The keys for requests by HTTP besides the URL, which sources share.

import { failure, success } from "../core/values/result.ts";
import { item, key, named } from "./declarations.ts";
import { quote } from "./quote.ts";
import { absolutePath, text } from "./values.ts";

/** The value of a header field: printable ASCII (RFC 9110 section 5.5). */
const headerValue = text(
  "the value of a header",
  "names and values",
  (text) =>
    /^[!-~]([ -~]{0,2046}[!-~])?$/.test(text)
      ? success(text)
      : failure(`Cannot use ${quote(text)} in a header: expected printable ASCII`),
);

/** What they read is what asking/http_access.ts takes. */
export const HTTP_KEYS = {
  headers: named(
    { unset: "none", isUntold: true, doc: 'sent with each request: { X-Key: "abc" }' },
    item(headerValue),
  ),
  token_file: key(absolutePath, {
    unset: "none",
    example: "/etc/compute-lb/http-token",
    doc: 'its first line is sent as "Authorization: Bearer ..."; read for each request',
  }),
  ca: key(absolutePath, {
    unset: "the system's authorities",
    example: "/etc/compute-lb/http-ca.pem",
    doc: "PEM: authorities to trust, too",
  }),
};
