/**
 * The endpoint's thread in a hurry: from ARM until FINAL has left, or the guest was told to run, everything waits for it,
 * and what it does is short.
 * Before and after, moving memory is work that leaves the fabric and the guests their time.
 */
import { actAtEase, actPromptly } from '../sys/index.js';

/** Where the system does not allow it nothing is lost but time. */
export function hurry(on: boolean): void {
  if (on) actPromptly();
  else actAtEase();
}
