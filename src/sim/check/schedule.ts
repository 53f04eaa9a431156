/** A schedule as text: the moves in base 36, joined by dots. What a counterexample is given again by. */

export function writeSchedule(moves: readonly number[]): string {
  return moves.map((move) => move.toString(36)).join('.');
}

/** @returns null when the text is no schedule */
export function readSchedule(text: string): readonly number[] | null {
  const parts = text.split('.');
  return parts.every((part) => /^[0-9a-z]{1,3}$/.test(part)) ? parts.map((part) => parseInt(part, 36)) : null;
}
