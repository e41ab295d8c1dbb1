// A client that one worker had handed over to another was counted as its frontend's; where a reload had given
// the address to a frontend of another name meanwhile, its end was counted as that one's. The old name kept
// a session for ever, the new one had less than none, and its max_connections let as many more in.

import { assertEquals } from "@std/assert";
import { SourceTable } from "../../lib/core/admission/source_table.ts";
import { Acceptor } from "../../lib/engine/splice/acceptor.ts";
import { HandoffQueue } from "../../lib/engine/splice/handoff_queue.ts";
import {
  allocateEngineMemory,
  allocateWorkerMemory,
  FRONTEND,
  TUNNEL_WORDS,
} from "../../lib/engine/splice/layout.ts";
import {
  AF_INET,
  EPOLL_CLOEXEC,
  openLibc,
  SOCK_CLOEXEC,
  SOCK_STREAM,
} from "../../lib/engine/splice/libc.ts";
import { Ledger } from "../../lib/engine/splice/ledger.ts";
import { Lingering } from "../../lib/engine/splice/lingering.ts";
import { Listeners } from "../../lib/engine/splice/listeners.ts";
import { Poller } from "../../lib/engine/splice/poller.ts";
import { Recorder } from "../../lib/engine/splice/records.ts";
import { SOCKADDR_BYTES } from "../../lib/engine/splice/sockaddr.ts";
import { TimerWheel } from "../../lib/engine/splice/timer_wheel.ts";
import { WakeFds } from "../../lib/engine/splice/wake_fds.ts";
import { TunnelTable } from "../../lib/engine/splice/tunnel_table.ts";
import { KEEPALIVE } from "../support/splice_engine.ts";
import { specOf } from "../support/worker_by_hand.ts";

Deno.test("a client on its way to another worker stays its frontend's", () => {
  const libc = openLibc();
  const { epoll_create1, socket, close } = libc.calls;
  const epollFd = epoll_create1(EPOLL_CLOEXEC);
  const listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const memory = allocateWorkerMemory(4);
  const engine = allocateEngineMemory();
  const sources = SourceTable.allocate(16);
  const handoffs = [HandoffQueue.allocate()];
  const setup = {
    memory,
    engine,
    sources: sources.buffer,
    epollFd,
    number: 0,
    handoffs,
    wakeFds: [],
    keepalive: KEEPALIVE,
    originMs: 0,
  };
  const table = new TunnelTable(memory);
  const poller = new Poller(libc, memory, epollFd);
  const ledger = new Ledger(memory.words, engine, sources, 0);
  const listeners = new Listeners(libc, memory);
  const wheel = new TimerWheel(memory, 0);
  const time = new Float64Array(3);
  const acceptor = new Acceptor(
    libc,
    setup,
    table,
    poller,
    new Recorder(memory, engine),
    ledger,
    listeners,
    new Lingering({ libc, table, poller, wheel, ledger, listeners, time }),
    new WakeFds(libc, []),
  );
  const listener = (frontend: number) => ({ ...specOf({ fd: listening }, 0), frontend });
  acceptor.listen([listener(3)]);
  new HandoffQueue(handoffs[0] ?? HandoffQueue.allocate())
    .put(client, 0, 3, 0, new Int32Array(SOCKADDR_BYTES / 4));
  acceptor.listen([listener(4)]);
  const slot = acceptor.receive(0, 0);
  assertEquals(memory.words[slot * TUNNEL_WORDS + FRONTEND], 3);
  for (const fd of [client, listening, epollFd]) close(fd);
  libc.close();
});
