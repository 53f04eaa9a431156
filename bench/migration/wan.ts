/**
 * `npm run bench:wan -- [--quick] [--only RTT|LOSS,…] [--peers udp,cubic,bbr] [--out FILE]`
 *
 * UDP against kernel CUBIC and BBR through the same fiber in the same run, 1 Gbit/s, loss in both directions:
 *
 *   udp.RTT.LOSS.share     goodput of the bulk phase ÷ (payload capacity × (1 − loss)), as cubic.… and bbr.…
 *
 * The bulk phase is the first round after its first ten round trips, up to the destination's word that all of it
 * has been applied; what was under way when it began is not counted, though it arrives in it. CUBIC and BBR: iperf3,
 * 10 s a cell, the first ten round trips left out. Payload capacity is rate × payload ÷ wire bytes of a full packet.
 */
import { parseArgs } from 'node:util';
import { messageOf, PAGE_SIZE } from '../../src/core/index.js';
import { nowNs } from '../../src/sys/index.js';
import { fabricTestbed } from '../fabric/testbeds/longhaul.js';
import { tcp } from '../fabric/traffic/iperf.js';
import { using } from '../fabric/using.js';
import { Figures, say } from '../figures.js';
import { makeMoves } from './moves.js';
import { PAYLOAD_SHARE, type Transport } from './payload.js';

const RATE_BPS = 1e9;
const RTTS_MS = [1, 10, 50, 100, 150];
const LOSSES = [0, 1e-4, 1e-3, 1e-2, 2e-2, 5e-2];
const SLOW_START_ROUND_TRIPS = 10;
const QUEUE_FLOOR_BYTES = 262_144;

interface Cell {
  readonly rttMs: number;
  readonly loss: number;
}

const lossName = ({ loss }: Cell): string => (loss === 0 ? '0' : loss.toExponential());
const nameOf = (c: Cell): string => `${c.rttMs}ms.${lossName(c)}`;
const ALL: readonly Cell[] = RTTS_MS.flatMap((rttMs) => LOSSES.map((loss) => ({ rttMs, loss })));
const QUICK = ['10ms.1e-3', '100ms.1e-2'];

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    peers: { type: 'string', default: 'udp,cubic,bbr' },
    out: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
const only = values.only?.split(',') ?? (values.quick ? QUICK : ALL.map(nameOf));
const matches = (c: Cell, word: string): boolean =>
  word === nameOf(c) || word === `${c.rttMs}ms` || word === lossName(c);
const unknown = only.filter((word) => !ALL.some((c) => matches(c, word)));
if (values.help || unknown.length > 0) {
  if (unknown.length > 0) console.error(`--only ${unknown.join(',')}: there is no such cell`);
  console.log('npm run bench:wan -- [--quick] [--only CELL|RTT|LOSS,…] [--peers udp,cubic,bbr] [--out FILE]');
  console.log(`cells: ${ALL.map(nameOf).join(' ')}`);
  process.exit(values.help ? 0 : 2);
}

const wanted = values.peers.split(',');
const figures = new Figures('wan');
for (const t of ['udp', 'tcp'] as const)
  say(`payload capacity at 1 Gbit/s over ${t}: ${((RATE_BPS * PAYLOAD_SHARE[t]) / 1e6).toFixed(1)} Mbit/s`);
const cells = ALL.filter((c) => only.some((word) => matches(c, word)));
for (const [i, cell] of cells.entries()) {
  say(`── ${nameOf(cell)}, cell ${i + 1} of ${cells.length}`);
  const peers: readonly (readonly [string, Transport, () => Promise<number>])[] = [
    ['udp', 'udp', () => migrationBps(cell)],
    ['cubic', 'tcp', () => kernelBps(cell, 'cubic')],
    ['bbr', 'tcp', () => kernelBps(cell, 'bbr')],
  ];
  for (const [peer, transport, measure] of peers) {
    if (!wanted.includes(peer)) continue;
    try {
      const bps = await measure();
      const share = bps / (RATE_BPS * PAYLOAD_SHARE[transport] * (1 - cell.loss));
      figures.add(`${peer}.${nameOf(cell)}.share`, 'ratio', [share]);
    } catch (e) {
      figures.skip(`${peer}.${nameOf(cell)}`, messageOf(e));
      process.exitCode = 1;
    }
  }
}
figures.finish(values.out);

function queueBytes({ rttMs }: Cell): number {
  return Math.max(QUEUE_FLOOR_BYTES, (RATE_BPS / 8) * (rttMs / 1e3));
}

/** Bits per second of page bytes in the bulk phase of a move over UDP. */
async function migrationBps(cell: Cell): Promise<number> {
  const slowStartNs = SLOW_START_ROUND_TRIPS * cell.rttMs * 1e6;
  const seen: { readonly atNs: number; readonly pages: number }[] = [];
  const { migrations } = await makeMoves(
    {
      fiber: {
        'one-way': `${cell.rttMs / 2}ms`,
        rate: '1Gbit',
        loss: `${cell.loss * 100}%`,
        queue: `${queueBytes(cell)}B`,
      },
      guest: { memory: cell.rttMs < 100 ? '512MiB' : '1GiB', fill: 'random', dirty: 'idle' },
      clients: [],
      probe: { count: 10, interval: '1ms' },
      migration: { mode: 'precopy', transport: 'udp', insecure: true },
    },
    (event) => {
      if (event.type === 'pages' && event.round === 1) seen.push({ atNs: nowNs(), pages: event.pagesSent });
      if (event.type === 'round' && event.round === 1) seen.push({ atNs: nowNs(), pages: event.pagesSent });
    },
  );
  const first = migrations[0]!.rounds[0]!;
  const end = seen.at(-1)!;
  const beginNs = end.atNs - first.durationNs;
  const from = seen.find((s) => s.atNs - beginNs >= slowStartNs);
  if (from === undefined || from === end) throw new Error('the first round was over within ten round trips');
  return ((end.pages - from.pages) * PAGE_SIZE * 8e9) / (end.atNs - from.atNs);
}

async function kernelBps(cell: Cell, congestion: 'cubic' | 'bbr'): Promise<number> {
  const fiber = {
    oneWayNs: cell.rttMs * 5e5,
    rateBps: RATE_BPS,
    lossProb: cell.loss,
    queueBytes: queueBytes(cell),
  };
  const omitSeconds = Math.ceil((SLOW_START_ROUND_TRIPS * cell.rttMs) / 1e3);
  const run = await using(await fabricTestbed({ fiber, seed: `${congestion} ${nameOf(cell)}` }), (t) =>
    tcp(t, { seconds: values.quick ? 4 : 10, congestion, omitSeconds }),
  );
  return run.bps;
}
