// A backend: one place where sessions can be sent, as the configuration or a discovery source names it.

import { type Address, formatAddress, parseBackendAddress } from "../values/address.ts";
import type { AdminState } from "./health.ts";
import { failure, type Result, success } from "../values/result.ts";

export interface Backend {
  /** What logs, status and commands call it: its address as written, unique in its pool. */
  readonly id: string;
  readonly address: Address;
  /** CPU cores as configured; absent when they are to be learnt from the load source. */
  readonly cores?: number;
  /** Most tunnels at a time; 0 means no limit. */
  readonly maxConnections: number;
  /** Its share of sessions beside others, 0 to {@linkcode MAX_WEIGHT}; absent: 1. At 0 it gets none. */
  readonly weight?: number;
  /** Where its load is asked, when that is not the backend's own host and the source's own port. */
  readonly loadAddress?: Address;
  /** What an administrator has ordered of it; absent: enabled. */
  readonly admin?: AdminState;
  /** What its own side (agent, load source) says against sessions and an administrator has overruled. */
  readonly overrules?: string;
}

/** The most cores a backend can be said to have: the kernel's NR_CPUS limit on x86-64 is 8192. */
export const MAX_CORES = 8192;

/** The highest weight: what HAProxy allows. */
export const MAX_WEIGHT = 256;

/**
 * The most backends of a pool: half the rows of its table, so that a reload can replace all of them
 * while the old ones still have sessions.
 */
export const MAX_BACKENDS = 512;

/** Reads a backend as the command line takes it: `host[:port][=cores]`. */
export function parseBackendSpec(text: string, defaultPort?: number): Result<Backend> {
  const equals = text.lastIndexOf("=");
  const addressText = equals === -1 ? text : text.slice(0, equals);
  const address = parseBackendAddress(addressText, defaultPort);
  if (!address.ok) return address;
  const backend = { id: formatAddress(address.value), address: address.value, maxConnections: 0 };
  if (equals === -1) return success(backend);
  const cores = parseCores(text.slice(equals + 1));
  return cores.ok ? success({ ...backend, cores: cores.value }) : cores;
}

/** Reads a number of cores: above 0, up to {@linkcode MAX_CORES}, at most three decimals. */
export function parseCores(text: string): Result<number> {
  const cores = /^\d{1,4}(\.\d{1,3})?$/.test(text) ? Number(text) : 0;
  if (cores <= 0 || cores > MAX_CORES) {
    return failure(`Cannot read "${text}" as cores: expected a number above 0, up to ${MAX_CORES}`);
  }
  return success(cores);
}

/** Reads a weight: 0 to {@linkcode MAX_WEIGHT}, at most three decimals. */
export function parseWeight(text: string): Result<number> {
  const weight = /^\d{1,3}(\.\d{1,3})?$/.test(text) ? Number(text) : NaN;
  return weight <= MAX_WEIGHT
    ? success(weight)
    : failure(`Cannot read "${text}" as a weight: expected a number from 0 to ${MAX_WEIGHT}`);
}
