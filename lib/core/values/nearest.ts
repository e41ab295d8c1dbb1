// Finds the word that somebody probably meant, for "did you mean" in error messages.

/**
 * Finds the candidate nearest to the word by edit distance (insert, delete, replace, swap of two
 * neighbours; Damerau 1964), letter case aside.
 * @returns undefined when nothing is near: more than a third of the word would have to change.
 */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const limit = Math.max(1, Math.floor(word.length / 3));
  const meant = word.toLowerCase();
  let best: string | undefined;
  let bestDistance = limit + 1;
  for (const candidate of candidates) {
    // The distance is at least the difference in length: spares hostile, very long words.
    if (Math.abs(candidate.length - word.length) > limit) continue;
    const distance = editDistance(meant, candidate.toLowerCase(), bestDistance);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/**
 * How many single edits turn one word into the other.
 * @param enough a distance at which counting may stop: the result is then this or more.
 */
export function editDistance(from: string, to: string, enough = Infinity): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index);
  let previousLeast = 0;
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    let least = row;
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1];
      let cost = Math.min(
        at(previous, column) + 1,
        at(current, column - 1) + 1,
        at(previous, column - 1) + (same ? 0 : 1),
      );
      const swapped = row > 1 && column > 1 &&
        from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      if (swapped) cost = Math.min(cost, at(beforePrevious, column - 2) + 1);
      current.push(cost);
      if (cost < least) least = cost;
    }
    // What follows goes on from this row, or by a swap from the one before.
    if (least >= enough && previousLeast >= enough) return enough;
    previousLeast = least;
    beforePrevious = previous;
    previous = current;
  }
  return at(previous, to.length);
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Infinity;
}

/** Ends an error message with the word that was probably meant, when there is one. */
export function didYouMean(word: string, candidates: readonly string[]): string {
  const meant = nearest(word, candidates);
  return meant === undefined ? "" : `did you mean "${meant}"?`;
}
