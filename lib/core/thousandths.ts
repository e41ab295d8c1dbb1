// Numbers for people and files: clocks and quotients give more decimals than mean anything.

/** The nearest number with at most three decimals. */
export function toThousandths(value: number): number {
  return Math.round(value * 1000) / 1000;
}
