// Backends as tests need them.

import { formatAddress } from "../../lib/core/values/address.ts";
import type { Backend } from "../../lib/core/pool/backend.ts";

/** A backend at a TCP address, named after it. */
export function backendAt(host: string, port = 22, more: Partial<Backend> = {}): Backend {
  const address = { transport: "tcp", host, port } as const;
  return { id: formatAddress(address), address, maxConnections: 0, ...more };
}
