// What people are told of a backend's load: that it is known, that its source is silent, that the last
// sample has grown old; each once, until it changes.

import { describeDuration } from "../values/duration.ts";
import type { LoadResult, LoadSample } from "./load.ts";
import type { Member } from "./member.ts";
import type { PoolChange } from "./pool_change.ts";

/** A sample has come; to be called before it stands in the member. */
export function tellSample(member: Member, { load1 }: LoadSample, isFresh: boolean): PoolChange[] {
  const isNews = member.silenceTold || member.load === undefined ||
    (member.agedLoadTold && isFresh);
  member.silenceTold = false;
  if (isFresh) member.agedLoadTold = false;
  member.loadFailure = undefined;
  return isNews ? [change(member, "info", `reports its load: ${load1.toFixed(2)}`)] : [];
}

/** An answer without a load has come, or none. */
export function tellSilence(member: Member, result: LoadResult): PoolChange[] {
  const reason = result.kind === "failed"
    ? result.reason
    : result.kind === "advice"
    ? "its agent gives neither a load nor a percentage"
    : `the source says ${result.kind}`;
  const wasTold = member.silenceTold;
  const isSilent = result.kind === "failed";
  member.silenceTold = isSilent;
  member.loadFailure = reason;
  if (isSilent === wasTold) return [];
  return isSilent
    ? [change(member, "warning", `does not report its load: ${reason}`)]
    : [change(member, "info", `has a load source that answers again: ${reason}`)];
}

/** Time has passed since the last sample. */
export function tellAge(member: Member, nowMs: number, maxAgeMs: number): PoolChange[] {
  const { load, agedLoadTold } = member;
  if (load === undefined || agedLoadTold || nowMs - load.takenAtMs <= maxAgeMs) return [];
  member.agedLoadTold = true;
  const age = describeDuration(maxAgeMs);
  const text = `has no load any more: the last one is older than max_age, ${age}`;
  return [change(member, "warning", text)];
}

function change({ backend }: Member, level: PoolChange["level"], text: string): PoolChange {
  return { level, backend: backend.id, text };
}
