/** A whole number as it is typed; its range is the affair of whoever takes it. */
import { ConfigError } from '../core/index.js';

/** @param option its name, for the refusal @throws ConfigError CLI_USAGE */
export function wholeNumber(typed: string, option: string): number {
  if (/^\d{1,15}$/.test(typed)) return Number(typed);
  throw new ConfigError('CLI_USAGE', `${option} ${JSON.stringify(typed)} is no whole number`, {
    hint: 'write it in digits',
  });
}
