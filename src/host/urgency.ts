/**
 * How much of a hurry the endpoint's thread is in: moving memory is work that leaves the fabric and the guests their time;
 * from ARM on it is soon waited for; and while the guest stands everything waits for it, and what it does is short.
 *
 *   at-ease ─ARM─► prompt ─pause call─► pausing ─FINAL has left─► at-ease                 at the source
 *                    └────────READY───► starting ─STARTED has left, or no FINAL came─►    at the destination
 */
import { actAtEase, actInRealTime, actPromptly } from '../sys/index.js';

export type Urgency = 'at-ease' | 'prompt' | 'pausing' | 'starting';

/** On a small machine the source may be in the destination's way, once FINAL has left, and not the other way round. */
const PRIORITY = { pausing: 1, starting: 2 } as const;

/** Where the system does not allow it nothing is lost but time. */
export function actWith(urgency: Urgency): void {
  if (urgency === 'at-ease') actAtEase();
  else if (urgency === 'prompt' || !actInRealTime(0, PRIORITY[urgency])) actPromptly();
}
