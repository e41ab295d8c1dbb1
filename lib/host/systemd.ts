// What systemd hands over to the process that it starts.

/**
 * The listening sockets that systemd has passed to this process: LISTEN_FDS of them from descriptor 3 on,
 * if LISTEN_PID is us (sd_listen_fds(3)).
 */
export function activatedDescriptors(
  pid: number,
  variable: (name: string) => string | undefined,
): readonly number[] {
  if (variable("LISTEN_PID") !== String(pid)) return [];
  const count = Number(variable("LISTEN_FDS"));
  return Number.isInteger(count) && count > 0 && count < 1024
    ? Array.from({ length: count }, (_, index) => 3 + index)
    : [];
}
