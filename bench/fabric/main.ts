/**
 * `npm run bench:fabric -- [--quick] [--only NAME,…] [--out FILE]`
 *
 * The fabric against its limits and its peers, in turn in one run: the kernel's veth pair is the floor, VDE
 * (vde_switch and wirefilter) the peer. What is not installed is skipped with its reason.
 */
import { parseArgs } from 'node:util';
import { messageOf } from '../../src/core/index.js';
import { Figures, say } from '../figures.js';
import { measureIdle } from './measures/idle.js';
import { measureLoss } from './measures/loss.js';
import { measureReleaseError } from './measures/release-error.js';
import { measureRoundTrips } from './measures/round-trip.js';
import { measureSmallFrames } from './measures/small-frames.js';
import { measureTcpOverDistance } from './measures/tcp-over-distance.js';
import { measureThroughput } from './measures/throughput.js';
import { FULL, QUICK, type Scale } from './scale.js';
import { isOnPath } from './testbed.js';

interface Measure {
  readonly name: string;
  readonly needs: readonly string[];
  run(figures: Figures, scale: Scale): Promise<void>;
}

const MEASURES: readonly Measure[] = [
  { name: 'ping', needs: ['ping'], run: measureRoundTrips },
  { name: 'release', needs: ['ping'], run: measureReleaseError },
  { name: 'tcp', needs: ['iperf3'], run: measureThroughput },
  { name: 'small', needs: ['ping'], run: measureSmallFrames },
  { name: 'idle', needs: [], run: measureIdle },
  { name: 'loss', needs: ['ping', 'iperf3'], run: measureLoss },
  { name: 'distance', needs: ['iperf3'], run: measureTcpOverDistance },
];

/** Emulators of this kind that Debian 12 has no package of. */
const PEERS_WITHOUT_TESTBED = ['mm-delay', 'ubridge'];

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    out: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
const names = MEASURES.map((m) => m.name);
const only = values.only?.split(',') ?? names;
const unknown = only.filter((name) => !names.includes(name));
if (values.help || unknown.length > 0) {
  if (unknown.length > 0) console.error(`--only ${unknown.join(',')}: there is no such measure`);
  console.log(`npm run bench:fabric -- [--quick] [--only ${names.join(',')}] [--out FILE]`);
  process.exit(unknown.length > 0 ? 2 : 0);
}

const figures = new Figures('fabric');
for (const measure of MEASURES.filter((m) => only.includes(m.name))) {
  const missing = measure.needs.filter((p) => !isOnPath(p));
  if (missing.length > 0) {
    figures.skip(measure.name, `${missing.join(' and ')} not on the PATH`);
    continue;
  }
  say(`── ${measure.name}`);
  try {
    await measure.run(figures, values.quick ? QUICK : FULL);
  } catch (e) {
    figures.skip(measure.name, messageOf(e));
    process.exitCode = 1;
  }
}
for (const program of PEERS_WITHOUT_TESTBED) {
  const why = isOnPath(program) ? 'is here, and this bench has no testbed for it yet' : 'not on the PATH';
  figures.skip(`small.over_${program}`, `${program} ${why}`);
}
figures.finish(values.out);
