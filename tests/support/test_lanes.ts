// Which test files run beside others. Those that are not named here share as many lanes as the machine has
// cores.

/** Files that mostly wait for real seconds of daemons: one at a time, beside the lanes of the others. */
export const WAITING: readonly string[] = [
  // A class logs in during a real minute.
  "tests/integration/placement_test.ts",
  // Init systems start, stop and supervise services. Never two at a time: they share the network.
  "tests/integration/init_test.ts",
  "tests/integration/agent_service_test.ts",
  // Connects to black holes until they are given up.
  "tests/regress/0003_row_of_a_backend_that_left_test.ts",
  // Loads that go stale, agents' words as HAProxy takes them, by the daemons' own intervals.
  "tests/integration/haproxy_agent_test.ts",
  "tests/integration/gmond_source_test.ts",
  // Sources that are asked again after a pause.
  "tests/integration/local_sources_test.ts",
  // A class waits for sshd to take its logins.
  "tests/integration/ssh_class_test.ts",
  // Servers of lists keep silent, and are found out.
  "tests/integration/etcd_source_test.ts",
  "tests/integration/zookeeper_source_test.ts",
  "tests/integration/consul_source_test.ts",
  "tests/integration/discovery_directories_test.ts",
  // Sources come late and are lost, by their own intervals.
  "tests/integration/discovery_sources_test.ts",
  // Prometheus scrapes once a second.
  "tests/integration/prometheus_test.ts",
  // Leases and answers of Redis are waited for.
  "tests/integration/redis_source_test.ts",
  // A pool rests between commands that scale it.
  "tests/integration/scale_test.ts",
  // Sessions are cut before the service manager's deadline.
  "tests/regress/0071_cut_before_the_service_manager_kills_test.ts",
];

/** Files that take long: they begin first, so that in the end no lane waits for one of them. */
export const LONG: readonly string[] = [
  // Simulates queues until chance evens out.
  "tests/unit/support/simulation/closed_forms_test.ts",
  // Hundreds of lists change while clients come.
  "tests/integration/discovery_changes_test.ts",
  // Starts the program 200 times.
  "tests/integration/administration_kills_test.ts",
  // Builds the program several times; others need one of its builds.
  "tests/integration/compile_test.ts",
  // Real ssh, 256 MiB by scp.
  "tests/integration/ssh_test.ts",
  "tests/integration/packed_test.ts",
];

/** Files that need the machine to themselves: they run last, one at a time. */
export const ALONE: readonly string[] = [
  // 2,000 sessions at once, of which none may be refused, also where probes of health come late.
  "tests/integration/many_sessions_test.ts",
];
