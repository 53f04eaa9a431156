/**
 * Collects garbage now: a rehearsal and each move leave megabytes outside V8's heap, which the collector is slow to see,
 * and a host's memory is to be its guest's. https://nodejs.org/api/v8.html#v8setflagsfromstringflags
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

export function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  gc();
  setFlagsFromString('--no-expose-gc');
}
