/**
 * What operators have said about migrations in doubt: one JSON line each, on disk before it takes effect. The
 * machines' records say what was decided; these say on whose word, and against what knowledge.
 */
import { closeSync, existsSync, fdatasyncSync, openSync, readFileSync, writeSync } from 'node:fs';

export interface OperatorWord {
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly uid: number;
  readonly guest: string;
  readonly epoch: number;
  readonly migrationId: string;
  readonly word: 'resume-here' | 'discard';
  /** What was known of the peer's decision then. */
  readonly peer: string;
}

/** Appends; the word is on disk when this returns. */
export function recordWord(path: string, word: OperatorWord): void {
  const fd = openSync(path, 'a', 0o600);
  try {
    writeSync(fd, `${JSON.stringify(word)}\n`);
    fdatasyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** The words on record, oldest first; a line that was torn by a crash counts as not written. */
export function readWords(path: string): OperatorWord[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .split('\n')
    .flatMap((line) => {
      try {
        return [JSON.parse(line) as OperatorWord];
      } catch {
        return [];
      }
    });
}
