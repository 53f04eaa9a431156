/** What the shell learns of a command, and the one line that says why. */
import { ConfigError, EnvironmentError, messageOf } from '../core/index.js';

export const EXIT_OK = 0;
/** The experiment failed: a move not completed, memory not identical, a wrong answer; or a fault of ours. */
export const EXIT_FAILED = 1;
/** The user can mend it: an option, a key, a file. */
export const EXIT_USAGE = 2;
/** This machine lacks something: a namespace, TAP. */
export const EXIT_ENVIRONMENT = 3;
/** Ctrl-C: 128 + SIGINT, as shells have it. */
export const EXIT_INTERRUPTED = 130;

/** For `--help`. */
export const EXIT_CODES_TEXT = `Exit codes:
  0    the experiment ran and held; a bridge was ended
  1    it failed: a move not completed, memory not identical, a wrong answer
  2    a bad option, key or file
  3    this machine lacks something: see longhaul doctor
  130  Ctrl-C of a run; everything that was made has been removed`;

export function exitCodeOf(error: unknown): number {
  if (error instanceof ConfigError) return EXIT_USAGE;
  if (error instanceof EnvironmentError) return EXIT_ENVIRONMENT;
  return EXIT_FAILED;
}

/** The line for stderr, whatever was thrown: one line, also when a message has several. */
export function errorLine(error: unknown): string {
  return `longhaul: ${messageOf(error).replace(/\s*\n\s*/g, ' ')}`;
}
