// Numbers for people and files: clocks and quotients give more decimals than mean anything.

/** The nearest number with at most three decimals. */
export function toThousandths(value: number): number {
  return Math.round(value * 1000) / 1000;
}

/** A number with so many decimals; what is nothing but its sign is 0, not -0. */
export function toDecimals(value: number, digits: number): string {
  const text = value.toFixed(digits);
  return Number(text) === 0 ? text.replace("-", "") : text;
}
