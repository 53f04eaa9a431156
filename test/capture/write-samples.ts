/** Writes captures/formats and captures/broken: run it after a change of sample-captures.ts. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sampleLines } from './read-sample.js';
import { BROKEN, FORMATS } from './sample-captures.js';

const CAPTURES = fileURLToPath(new URL('../../../captures/', import.meta.url));

for (const [folder, samples] of [
  ['formats', FORMATS],
  ['broken', BROKEN],
] as const) {
  mkdirSync(join(CAPTURES, folder), { recursive: true });
  for (const [name, bytes] of samples) {
    const path = join(CAPTURES, folder, name);
    writeFileSync(path, bytes);
    const lines = await sampleLines(path, name);
    writeFileSync(path.replace(/\.pcap(ng)?$/, '.txt'), `${lines.join('\n')}\n`);
  }
}
