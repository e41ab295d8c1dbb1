// Tells whether stderr goes to the systemd journal.

/**
 * Whether `$JOURNAL_STREAM` means our stderr: it names the device and inode of the stream (systemd.exec(5)),
 * since programs below a service or a desktop terminal inherit the variable without the stream.
 */
export function isJournal(value: string | undefined): boolean {
  const [device, inode] = value?.split(":") ?? [];
  if (device === undefined || inode === undefined) return false;
  try {
    const { dev, ino } = Deno.statSync("/proc/self/fd/2");
    return String(dev) === device && String(ino) === inode;
  } catch {
    return false;
  }
}
