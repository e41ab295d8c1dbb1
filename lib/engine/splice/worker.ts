// A worker's entry: receives messages, runs the loop between them. Importing this file makes the thread
// a worker; its graph holds core/ and this folder, and no package.

import { Plan } from "./plan.ts";
import { MESSAGES_READ, MESSAGES_SENT } from "./layout.ts";
import { openLibc } from "./libc.ts";
import { Loop } from "./loop.ts";
import type { FromWorker, ToWorker, WorkerSetup } from "./control_messages.ts";

/** The part of DedicatedWorkerGlobalScope that is used; the main thread's types lack it. */
interface WorkerScope {
  postMessage(message: FromWorker): void;
  addEventListener(type: "message", listener: (event: MessageEvent<ToWorker>) => void): void;
  close(): void;
}

function isWorkerScope(scope: object): scope is WorkerScope {
  return "WorkerGlobalScope" in scope;
}

/** Serves one engine until it says stop. */
function serve(scope: WorkerScope): void {
  let control: Int32Array | undefined;
  let loop: Loop | undefined;
  let arrived = () => {};

  scope.addEventListener("message", ({ data }) => {
    if (data.kind === "setup") {
      control = data.setup.memory.control;
      loop = new Loop(openLibc(), data.setup, () => scope.postMessage({ kind: "events" }));
      // A failure ends the thread with an error event, which is how the supervisor learns of it.
      turnForever(data.setup, loop).then(() => {
        scope.postMessage({ kind: "stopped" });
        scope.close();
      }, (error) => {
        reportError(error);
      });
      scope.postMessage({ kind: "ready" });
    } else if (loop !== undefined) act(loop, data);
    if (control !== undefined) Atomics.add(control, MESSAGES_READ, 1);
    arrived();
  });

  let stopped = false;
  function act(to: Loop, message: Exclude<ToWorker, { kind: "setup" }>): void {
    switch (message.kind) {
      case "hold":
        to.hold(message.closing);
        scope.postMessage({ kind: "done", id: message.id });
        break;
      case "listen":
        to.listen(message.listeners);
        scope.postMessage({ kind: "done", id: message.id });
        break;
      case "publish":
        to.listeners.publish(message.plan.pool, new Plan(message.plan));
        break;
      case "withdraw":
        to.listeners.publish(message.pool, undefined);
        break;
      case "cut":
        to.cut();
        break;
      case "end":
        to.endTunnels(new Set(message.tunnels), message.reason);
        break;
      case "stop":
        to.cut();
        to.end();
        stopped = true;
    }
  }

  scope.postMessage({ kind: "hello" });

  async function turnForever({ memory }: WorkerSetup, loop: Loop): Promise<void> {
    while (!stopped) {
      // Messages come in through the thread's event loop, which runs only while nobody blocks it.
      const read = Atomics.load(memory.control, MESSAGES_READ);
      if (Atomics.load(memory.control, MESSAGES_SENT) === read) loop.run();
      else await new Promise<void>((resolve) => arrived = resolve);
    }
  }
}

const scope: object = globalThis;
if (isWorkerScope(scope)) serve(scope);
