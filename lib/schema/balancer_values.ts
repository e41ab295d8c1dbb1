// Values of the balancer's own things: addresses, networks, rates, cores, weights, memory. Their texts are parsed and
// written in core/.

import { formatRate, parseRate, type Rate } from "../core/admission/rate.ts";
import { parseCores, parseWeight } from "../core/pool/backend.ts";
import {
  type Address,
  formatAddress,
  parseBackendAddress,
  parseListenAddress,
  sameAddress,
  type TcpAddress,
} from "../core/values/address.ts";
import { formatNetwork, type Network, parseNetwork } from "../core/values/network.ts";
import { failure, type Result, success } from "../core/values/result.ts";
import { formatSize } from "../core/values/size.ts";
import type { MemoryFloor } from "../core/watch/shortages.ts";
import { quote } from "./quote.ts";
import { absolutePath, orOff, percent, quoted, size, type Value, type Written } from "./values.ts";

/** A value of core/, which parses and formats it by itself. */
function parsed<T>(
  what: string,
  accepts: string,
  parse: (text: string) => Result<T>,
  write: (value: T) => Written,
): Value<T> {
  return { read: (text) => quoted(parse(text)), write, what, accepts, unit: "" };
}

/** An address to listen on. */
export const listenAddress = parsed(
  "an address to listen on",
  'address or list: [":22", "unix:/run/lb.sock"]',
  parseListenAddress,
  formatAddress,
);

/** A network, or one address. */
export const network = parsed("a network", "networks or addresses", parseNetwork, formatNetwork);

/** A network, or the file that lists some. */
export const networkOrFile: Value<Network | { readonly file: string }> = {
  read: (text) => {
    if (text.startsWith("/")) {
      return failure(`Cannot read ${quote(text)} as a network: write "file:" before a path`);
    }
    if (!text.startsWith("file:")) return network.read(text);
    const path = absolutePath.read(text.slice("file:".length));
    return path.ok ? success({ file: path.value }) : path;
  },
  write: (entry) => "file" in entry ? `file:${entry.file}` : network.write(entry),
  what: 'a network or "file:/path"',
  accepts: 'networks, addresses, "file:/path"',
  unit: "",
};

/** So many connections in a length of time, or `off`, which is undefined. */
export const rateOrOff: Value<Rate | undefined> = orOff(
  parsed("a rate", "NUMBER/DURATION", parseRate, formatRate),
  undefined,
);

/** A number of CPU cores. */
export const cores: Value<number> = {
  ...parsed("a number of cores", "above 0, up to 8192", parseCores, (it) => it),
  json: { type: "number", minimum: 0.001, maximum: 8192, multipleOf: 0.001 },
};

/** The share of a backend beside others. */
export const weight: Value<number> = {
  ...parsed("a weight", "0 to 256, three decimals", parseWeight, (it) => it),
  json: { type: "number", minimum: 0, maximum: 256, multipleOf: 0.001 },
};

/** An address whose port may still be missing. */
export interface PartialAddress {
  /** Port 1 stands for a missing one. */
  readonly address: Address;
  readonly hasPort: boolean;
}

/** The address of a backend, with or without a port. */
export const partialAddress: Value<PartialAddress> = {
  read: (text) => {
    const one = parseBackendAddress(text, 1);
    if (!one.ok) return quoted(one);
    const two = parseBackendAddress(text, 2);
    return success({
      address: one.value,
      hasPort: two.ok && sameAddress(one.value, two.value),
    });
  },
  write: ({ address }) => formatAddress(address),
  what: 'an address "host[:port]"',
  accepts: 'host[:port] | "[IPv6]:port" | unix:/path',
  unit: "",
};

/** Where something else than a backend is asked; without a port, at this one. */
export function tcpPlace(port: number): Value<TcpAddress> {
  return {
    read: (text) => {
      const read = partialAddress.read(text);
      if (!read.ok) return read;
      const { address, hasPort } = read.value;
      if (address.transport !== "tcp") {
        return failure(`Cannot ask ${quote(text)}: expected "host[:port]"`);
      }
      return success(hasPort ? address : { ...address, port });
    },
    write: formatAddress,
    what: 'an address "host[:port]"',
    accepts: "host[:port]",
    unit: "",
  };
}

/** An amount of memory, as a size or as a percentage of all there is. */
export const memoryFloor: Value<MemoryFloor> = {
  read: (text) => {
    if (text.endsWith("%")) {
      // A server that was short comes back with a tenth more, which must be there.
      const read = percent(0, 90).read(text);
      if (!read.ok) return failure(`${read.message} (a server that was short needs a tenth more)`);
      return success(read.value === 0 ? { bytes: 0 } : { share: read.value });
    }
    const read = size(0, 1024 ** 5).read(text);
    return read.ok
      ? success({ bytes: read.value })
      : failure(`${read.message}, or a percentage such as "10%"`);
  },
  write: (floor) => "bytes" in floor ? formatSize(floor.bytes) : percent(0, 90).write(floor.share),
  what: "a size or a percentage",
  accepts: "size, or share of all up to 90%",
  unit: "",
};
