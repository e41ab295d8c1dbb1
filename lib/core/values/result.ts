// A value or the reason there is none: what parsers return instead of throwing.

/** What came of reading something a person or another program wrote. */
export type Result<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly message: string };

/** Wraps a value that was read. */
export function success<T>(value: T): Result<T> {
  return { ok: true, value };
}

/** Wraps the reason why nothing was read: what was found, a colon, what was expected. */
export function failure<T>(message: string): Result<T> {
  return { ok: false, message };
}
