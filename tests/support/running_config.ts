// The lb.conf of tests that run the program with one frontend and one pool.

/** One frontend "echo" before these backends, round robin, probed often, of which no load is asked. */
export function configOf(
  backends: readonly string[],
  more: {
    health?: string;
    top?: string;
    frontend?: string;
    strategy?: string;
    placement?: string;
  } = {},
): string {
  return `
${more.top ?? ""}
frontends:
  echo: { listen: "127.0.0.1:0"${more.frontend ?? ""} }
pools:
  main:
    strategy: ${more.strategy ?? "round_robin"}
    # Tests log in faster than people.
    ${more.placement ?? "pace: { sessions: off }"}
    backends: [${backends.map((backend) => JSON.stringify(backend)).join(", ")}]
    load: { source: none }
    health: ${more.health ?? "{ probe: tcp, interval: 200ms, timeout: 150ms, fall: 2, rise: 1 }"}
`;
}
