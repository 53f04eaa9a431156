/**
 * `npm run bench:pause -- [--quick] [--moves N] [--only CELL,…] [--out FILE]`
 *
 * The switchover at 80 km and 10 Gbit/s, by mode, memory and dirty rate over a 32 MiB hot set:
 *
 *   pause.MODE.MEMORY.DIRTY.p50|p99   from the pause call to the first guest instruction at the destination
 *   limit.MODE.MEMORY.DIRTY           one way + what travelled while the guest stood, at the fiber's rate
 *   gap.MODE.MEMORY.DIRTY.p50         longest time between two answers that a client saw
 *   blocked.MODE.MEMORY.DIRTY.p50     time the guest's thread stood at missing pages in the first 100 ms
 *
 * All in ms. Every move is checked: memory identical, every answer once.
 */
import { parseArgs } from 'node:util';
import { messageOf, PAGE_SIZE } from '../../src/core/index.js';
import { quantile, sorted } from '../../src/report/index.js';
import { Figures, say } from '../figures.js';
import { makeMoves } from './moves.js';

const PROFILE = 'metro-80km';
const ONE_WAY_MS = 0.4;
const RATE_BPS = 10e9;
const HOT_SET = '32MiB';
/** A gap cannot be seen shorter than this. */
const REQUESTS_EVERY = '1ms';
/** A page in TCP segments of MTU 1500: 1448 of 1538 bytes on the wire are payload. */
const WIRE_BITS_A_PAGE = (PAGE_SIZE * 8 * 1538) / 1448;

interface Cell {
  readonly mode: 'precopy' | 'postcopy' | 'hybrid';
  readonly memory: '256MiB' | '1GiB';
  readonly dirty: '0MBps' | '50MBps' | '500MBps';
}

const DIRTY = { '0MBps': 'idle', '50MBps': 'uniform:50MB/s', '500MBps': 'uniform:500MB/s' } as const;
const CELLS: readonly Cell[] = (['hybrid', 'precopy', 'postcopy'] as const).flatMap((mode) =>
  (['256MiB', '1GiB'] as const).flatMap((memory) =>
    (['0MBps', '50MBps', '500MBps'] as const).map((dirty) => ({ mode, memory, dirty })),
  ),
);
const QUICK = ['hybrid.256MiB.50MBps', 'precopy.256MiB.50MBps', 'postcopy.256MiB.50MBps'];

const nameOf = (c: Cell): string => `${c.mode}.${c.memory}.${c.dirty}`;

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    moves: { type: 'string' },
    only: { type: 'string' },
    out: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
const only = values.only?.split(',') ?? (values.quick ? QUICK : CELLS.map(nameOf));
const unknown = only.filter((word) => !CELLS.some((c) => nameOf(c).includes(word)));
const moves = Number(values.moves ?? (values.quick ? 8 : 50));
if (values.help || unknown.length > 0 || !(moves >= 1 && moves <= 1000)) {
  if (unknown.length > 0) console.error(`--only ${unknown.join(',')}: no cell has that in its name`);
  console.log('npm run bench:pause -- [--quick] [--moves 1..1000] [--only CELL,…] [--out FILE]');
  console.log(`cells: ${CELLS.map(nameOf).join(' ')}; a part of a name takes all that have it`);
  process.exit(values.help ? 0 : 2);
}

const figures = new Figures('pause');
const cells = CELLS.filter((c) => only.some((word) => nameOf(c).includes(word)));
for (const [i, cell] of cells.entries()) {
  const name = nameOf(cell);
  say(`── ${name}, ${moves} moves, cell ${i + 1} of ${cells.length}`);
  try {
    await measure(name, cell);
  } catch (e) {
    figures.skip(name, messageOf(e));
    process.exitCode = 1;
  }
}
figures.finish(values.out);

async function measure(name: string, { mode, memory, dirty }: Cell): Promise<void> {
  const { migrations } = await makeMoves({
    fiber: { profile: PROFILE },
    guest: { memory, fill: 'random', dirty: DIRTY[dirty], 'hot-set': HOT_SET },
    clients: (['a', 'b'] as const).map((site) => ({ site, icmp: REQUESTS_EVERY, service: REQUESTS_EVERY })),
    probe: { count: 10 },
    migration: { repeat: moves, mode },
  });
  const pauses = sorted(migrations.map((m) => m.pauseNs! / 1e6));
  figures.add(`pause.${name}.p50`, 'ms', pauses);
  figures.add(`pause.${name}.p99`, 'ms', [quantile(pauses, 0.99)]);
  figures.add(
    `limit.${name}`,
    'ms',
    migrations.map((m) => ONE_WAY_MS + (m.pagesInPause * WIRE_BITS_A_PAGE * 1e3) / RATE_BPS),
  );
  figures.add(
    `gap.${name}.p50`,
    'ms',
    migrations.map((m) => Math.max(...m.clients.map((c) => c.longestGapNs)) / 1e6),
  );
  figures.add(
    `blocked.${name}.p50`,
    'ms',
    migrations.map((m) => (m.blockedNs ?? 0) / 1e6),
  );
}
