/** What this machine lacks for some of the lab's tests. */
import { messageOf } from '../../src/core/index.js';
import { tryNetns } from '../../src/lab/attach.js';

/** Why there are no network namespaces here, or null. */
export function netnsLack(): string | null {
  try {
    tryNetns();
    return null;
  } catch (e) {
    return `no network namespaces here: ${messageOf(e)}`;
  }
}
