/**
 * One error class for the whole house. Callers match on `code`; people read `message` and `hint`.
 * Each folder owns a union of codes with its own prefix (`CORE_…`, `FIBER_…`, `L2_…`, `VMOTION_…`).
 */

/** Structured facts about an error: numbers, names, ranges; printed with `--json`. */
export type ErrorDetails = Readonly<Record<string, unknown>>;

export interface LonghaulErrorOptions {
  readonly details?: ErrorDetails;
  /** What the user can do about it, one clause. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/**
 * An error with a stable code. `message` says what is wrong and the allowed range, `hint` the remedy:
 * `FIBER_LOSS_RANGE: loss 1.5 is outside 0..1; for 1.5 % write 1.5%`.
 */
export class LonghaulError<Code extends string = string> extends Error {
  readonly code: Code;
  readonly details: ErrorDetails;
  readonly hint: string | undefined;

  constructor(code: Code, message: string, options: LonghaulErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'LonghaulError';
    this.code = code;
    this.details = options.details ?? {};
    this.hint = options.hint;
  }

  /** The one line a user sees: code, what is wrong, remedy. */
  line(): string {
    return `${this.code}: ${this.message}${this.hint ? `; ${this.hint}` : ''}`;
  }
}

/**
 * A configuration the user can mend: the command line exits with 2.
 * Thrown where the configuration is built, never later.
 */
export class ConfigError<Code extends string = string> extends LonghaulError<Code> {
  override name = 'ConfigError';
}

/** Something this machine does not offer (a namespace, TAP, userfaultfd): the command line exits with 3. */
export class EnvironmentError<Code extends string = string> extends LonghaulError<Code> {
  override name = 'EnvironmentError';
}

/** True when `e` is a `LonghaulError` (optionally with this code). */
export function isLonghaulError(e: unknown, code?: string): e is LonghaulError {
  return e instanceof LonghaulError && (code === undefined || e.code === code);
}

/** The message of anything thrown, for a log line. */
export function messageOf(e: unknown): string {
  if (e instanceof LonghaulError) return e.line();
  return e instanceof Error ? e.message : String(e);
}
