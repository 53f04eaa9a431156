/**
 * The kinds of moves and their numbers. A move is one number, so that a schedule is a short text: kind · 16 + argument.
 *
 *   fair     happens sooner or later if nothing else does
 *   fault    happens at most as often as the bounds allow
 *   optional what an environment may do or leave
 */

/** The kinds of moves, in the order of their numbers; new ones go to the end, so that old schedules stay true. */
export const MOVES = [
  'deliver to b',
  'deliver to a',
  'overtake to b',
  'overtake to a',
  'lose to b',
  'lose to a',
  'double to b',
  'double to a',
  'deliver the double',
  'apply round',
  'lose round',
  'corrupt page',
  'place page',
  'lose page',
  'work at a',
  'work at b',
  'time at a',
  'time at b',
  'a hears of the break',
  'b hears of the break',
  'the link goes down',
  'the link comes back',
  'reconnect',
  'ask again',
  'a closes',
  'b closes',
  'a dies',
  'b dies',
  'a restarts',
  'b restarts',
  'the guest writes',
  'a late frame comes',
  'operator asks',
  'operator resumes',
  'operator discards',
  'operator closes the record',
] as const;
export type MoveName = (typeof MOVES)[number];

const ARGUMENTS = 16;
/** Faults, by number. */
const FAULTS: ReadonlySet<MoveName> = new Set<MoveName>([
  'overtake to b',
  'overtake to a',
  'lose to b',
  'lose to a',
  'double to b',
  'double to a',
  'lose round',
  'corrupt page',
  'lose page',
  'the link goes down',
  'a dies',
  'b dies',
]);
/** What an environment may do or leave: nothing waits for it. */
const OPTIONAL: ReadonlySet<MoveName> = new Set<MoveName>([
  'deliver the double',
  'the guest writes',
  'a late frame comes',
]);
export function nameOf(move: number): MoveName {
  return MOVES[Math.floor(move / ARGUMENTS)]!;
}

export function argumentOf(move: number): number {
  return move % ARGUMENTS;
}

export function isFault(move: number): boolean {
  return FAULTS.has(nameOf(move)) || (nameOf(move) === 'b restarts' && argumentOf(move) === 1);
}

/** Whether a world may rely on this move to happen in the end. */
export function isFair(move: number): boolean {
  return !isFault(move) && !OPTIONAL.has(nameOf(move));
}

function code(name: MoveName, argument = 0): number {
  return MOVES.indexOf(name) * ARGUMENTS + argument;
}

/** The number of each kind with argument 0; the argument is added. */
export const CODES = Object.fromEntries(MOVES.map((name) => [name, code(name)])) as Record<MoveName, number>;
