/**
 * The fuzzer: `npm run fuzz -- --inputs N [--seed TEXT] [--only TARGET] [--out FILE.json]`.
 *
 * Feeds N inputs, shared evenly among everything that reads bytes. A found case is printed as hexadecimal digits: it
 * goes to `test/fuzz/corpus/TARGET/` with a name that says its symptom, and from then on is part of `npm test`.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type Found, fuzz } from './harness.js';
import { TARGETS } from './targets.js';

const { values } = parseArgs({
  options: {
    inputs: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: 'fuzz' },
    only: { type: 'string' },
    out: { type: 'string' },
  },
});

const targets = TARGETS.filter((t) => values.only === undefined || t.name === values.only);
const share = Math.ceil(Number(values.inputs) / targets.length);
const found: Found[] = [];
const seconds: Record<string, number> = {};
for (const target of targets) {
  const startedMs = performance.now();
  const failure = fuzz(target, share, values.seed);
  seconds[target.name] = (performance.now() - startedMs) / 1000;
  process.stdout.write(`${target.name.padEnd(24)} ${share} inputs  ${seconds[target.name]!.toFixed(1)} s\n`);
  if (failure === null) continue;
  found.push(failure);
  process.stdout.write(`FOUND ${failure.what}\n${failure.hex}\n`);
}
const result = {
  seed: values.seed,
  inputs: share * targets.length,
  failures: found.length,
  seconds,
  found,
  node: process.version,
};
process.stdout.write(`${result.inputs} inputs, ${found.length} failures\n`);
if (values.out !== undefined) writeFileSync(values.out, `${JSON.stringify(result, null, 2)}\n`);
process.exitCode = found.length === 0 ? 0 : 1;
