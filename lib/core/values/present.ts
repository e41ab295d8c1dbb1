/** What is known of these values, without the rest. */
export function present<T extends object>(
  values: { [K in keyof T]: T[K] | undefined },
): Partial<T> {
  const known: Partial<T> = {};
  for (const key in values) {
    const value = values[key];
    if (value !== undefined) known[key] = value;
  }
  return known;
}
