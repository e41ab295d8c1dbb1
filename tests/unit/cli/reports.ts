// A status report for tests that draw it.

import type { BackendReport, PoolReport, StatusReport } from "../../../lib/admin/report.ts";

export const BACKEND: BackendReport = {
  id: "kelvin.cluster.example:22",
  addresses: ["192.0.2.1:22"],
  state: "up",
  admin: "enabled",
  reason: "answers",
  since: "2026-11-01T08:30:12Z",
  usable: true,
  backup: false,
  load1: 12.25,
  loadAgeSeconds: 2,
  loadFailure: null,
  cores: 128,
  coresFrom: "assumed",
  weight: 1,
  share: 1,
  holds: [],
  shortage: null,
  free: 115.75,
  memoryAvailableBytes: null,
  memoryTotalBytes: null,
  cpuPressure: null,
  memoryPressure: null,
  loginSessions: null,
  active: 120,
  total: 12345,
  maxConnections: 4096,
  connectFailures: 0,
  agent: null,
};

export const POOL: PoolReport = {
  name: "compute",
  strategy: "least_load",
  strategyInUse: "least_load",
  loadSource: "nrpe",
  healthProbe: "banner",
  sticky: "off",
  panic: null,
  burstCost: 0,
  backends: [BACKEND],
};

export const REPORT: StatusReport = {
  version: "0.1.0",
  pid: 1,
  state: "running",
  engine: { name: "portable", reason: "asked for" },
  startedAt: "2026-11-21T08:00:00Z",
  now: "2026-11-21T08:30:12Z",
  reload: { count: 0 },
  counters: {
    accepted: 0,
    opened: 0,
    active: 0,
    refused: 0,
    connectFailures: 0,
    bytesToBackend: 0,
    bytesToClient: 0,
    eventsDropped: 0,
    logLinesDropped: 0,
  },
  frontends: [],
  pools: [POOL],
};
