// Whether what this process writes to stderr goes to the systemd journal.

/**
 * Tells whether stderr is the journal's, by the rule of systemd.exec(5): JOURNAL_STREAM holds device and
 * inode of the stream, and only if they are stderr's own does it count. Everything that is started in a
 * desktop session inherits the variable, whatever its stderr is.
 *
 * @param value of JOURNAL_STREAM: "device:inode", both decimal. Anything else means no.
 */
export function isJournal(value: string | undefined): boolean {
  if (value === undefined || !/^\d{1,20}:\d{1,20}$/.test(value)) return false;
  try {
    const { dev, ino } = Deno.statSync("/proc/self/fd/2");
    return value === `${dev}:${ino}`;
  } catch {
    return false;
  }
}
