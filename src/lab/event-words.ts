/**
 * What happened, in the words that an engineer looks for in a capture: the machines tell of their states, and some
 * of them are the moments that a migration is about.
 */
const MOMENTS: readonly (readonly [entered: string, word: string])[] = [
  ['pausing', 'pause'],
  ['committed', 'COMMIT is on record'],
  ['starting', 'RUNNING is on record'],
];

/** `host a: committing → committed (COMMIT is on record)` */
export function eventLine(where: string, what: string): string {
  const word = MOMENTS.find(([entered]) => what.endsWith(`→ ${entered}`))?.[1];
  return `${where}: ${what}${word === undefined ? '' : ` (${word})`}`;
}
