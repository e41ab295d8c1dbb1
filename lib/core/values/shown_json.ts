// A value of foreign JSON as messages show it.

/**
 * Writes a scalar as JSON, cut at `longest` characters, and says what else there is: "a list of 3", "an
 * object". What is nested is not written out: there may be more of it than JSON.stringify has stack for.
 */
export function shownJson(value: unknown, longest = 40): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === "object" && value !== null) return "an object";
  const text = JSON.stringify(value) ?? "nothing";
  return text.length <= longest ? text : `${text.slice(0, longest - 3)}...`;
}
