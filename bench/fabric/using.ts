/** Runs a measure on a testbed and closes it, whatever happens. */
import type { Testbed } from './testbed.js';

export async function using<T extends Testbed, R>(
  testbed: T,
  measure: (testbed: T) => Promise<R>,
): Promise<R> {
  try {
    return await measure(testbed);
  } finally {
    await testbed.close();
  }
}
