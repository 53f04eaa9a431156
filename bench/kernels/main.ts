/**
 * `npm run bench:kernels -- [--quick] [--only NAME,…] [--out FILE]`
 *
 * Nanoseconds that one call of each kernel takes, by benny: `NAME` with its median, p5 and p95 over samples of many
 * calls each. `noop` is what calling costs: nothing was taken off the others.
 */
import { parseArgs } from 'node:util';
import { add, suite } from 'benny';
import { Figures, say } from '../figures.js';
import { KERNELS } from './kernels.js';

const SECONDS = { full: 0.5, quick: 0.06 };

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    out: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
const only = values.only?.split(',') ?? [''];
const kernels = KERNELS.filter((k) => only.some((word) => k.name.includes(word)));
if (values.help || kernels.length === 0) {
  console.log('npm run bench:kernels -- [--quick] [--only NAME,…] [--out FILE]');
  console.log(`kernels: ${KERNELS.map((k) => k.name).join(' ')}; a part of a name takes all that have it`);
  process.exit(values.help ? 0 : 2);
}
const figures = new Figures('kernels');
const maxTime = values.quick ? SECONDS.quick : SECONDS.full;
say(`${kernels.length} kernels, ${maxTime} s each`);
for (const { name, ready } of kernels) {
  const timed = ready();
  if (timed === null) {
    figures.skip(name, 'this machine lacks what it needs');
    continue;
  }
  const summary = await suite(
    name,
    add(name, () => timed, { minTime: maxTime / 10, maxTime }),
  );
  const { sampleResults } = summary.results[0]!.details;
  figures.add(
    name,
    'ns',
    sampleResults.map((s) => s * 1e9),
  );
}
figures.finish(values.out);
