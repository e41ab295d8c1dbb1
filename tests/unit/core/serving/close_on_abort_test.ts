import { assertEquals } from "@std/assert";
import { closeOnAbort } from "../../../../lib/core/serving/close_on_abort.ts";

Deno.test("closeOnAbort() closes at the signal, or at once, but not after it was disposed of", () => {
  let closed = 0;
  const resource = { close: () => void closed++ };
  const early = new AbortController();
  {
    using _closing = closeOnAbort(early.signal, resource);
    assertEquals(closed, 0);
    early.abort();
    assertEquals(closed, 1);
  }
  {
    using _closing = closeOnAbort(early.signal, resource);
    assertEquals(closed, 2);
  }
  const late = new AbortController();
  {
    using _closing = closeOnAbort(late.signal, resource);
  }
  late.abort();
  assertEquals(closed, 2);
});

Deno.test("closeOnAbort() does not mind what is closed already", () => {
  const stop = new AbortController();
  const resource = {
    close: () => {
      throw new Deno.errors.BadResource("closed");
    },
  };
  using _closing = closeOnAbort(stop.signal, resource);
  stop.abort();
});
