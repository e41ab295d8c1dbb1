// Numbers of things, in words for people.

/** "1 session", "2 sessions". */
export function counted(count: number, what: string): string {
  return count === 1 ? `1 ${what}` : `${count} ${what}s`;
}
