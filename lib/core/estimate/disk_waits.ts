// Takes tasks that wait for a disk out of a load, as far as pressure tells: a load average counts them
// like those that run.

/** At this pressure and above, all tasks beyond the cores are held to wait for a CPU. */
const ALL_WAIT_AT = 0.05;
/** Pressure is a mean over 10 s: of a longer interval it does not tell enough. */
const LONGEST_INTERVAL_MS = 20_000;

/**
 * How many of the tasks want a CPU. With n tasks that want one on c cores, some task waits for a CPU all
 * the time while n > c, and hardly ever while n <= c: so where nearly none waited (Linux, "some avg10" of
 * /proc/pressure/cpu), no more than c want one, and the rest of a higher load average sleeps
 * uninterruptibly. Tasks beyond the cores are counted in proportion to the pressure, up to 5 %. Up to the
 * cores, pressure tells nothing, and all tasks count.
 *
 * By simulation (tests/unit/core/simulation): no difference where tasks wait for CPUs alone; much less
 * slowdown where some servers have tasks that wait for disks.
 * @param tasks mean number over the interval.
 * @param pressure 0 to 1; undefined: not known.
 * @param intervalMs how long the mean goes back.
 */
export function tasksWantingCpu(
  tasks: number,
  cores: number,
  pressure: number | undefined,
  intervalMs: number,
): number {
  if (pressure === undefined || tasks <= cores || intervalMs > LONGEST_INTERVAL_MS) return tasks;
  return cores + (tasks - cores) * Math.min(1, pressure / ALL_WAIT_AT);
}
