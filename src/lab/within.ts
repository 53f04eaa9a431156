import { setTimeout as sleep } from 'node:timers/promises';

/** The first of these, or undefined when none has settled in time. */
export async function within<T>(ms: number, promises: readonly Promise<T>[]): Promise<T | undefined> {
  const ending = new AbortController();
  const late = sleep(Math.max(0, ms), undefined, { signal: ending.signal }).catch(() => undefined);
  const first = await Promise.race([...promises, late]);
  ending.abort();
  return first;
}
