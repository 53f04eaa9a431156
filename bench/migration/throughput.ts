/**
 * `npm run bench:throughput -- [--quick] [--turns N] [--out FILE]`
 *
 * How fast incompressible memory moves over a clean link, and what the link would carry:
 *
 *   TRANSPORT.gbps, .over_iperf3          rate unlimited, --insecure, beside one iperf3 stream through the same fabric
 *   TRANSPORT_sealed.gbps, .over_iperf3   the same, encrypted
 *   TRANSPORT_4Gbit.share, TRANSPORT_4Gbit_sealed.share   goodput ÷ payload capacity at 4 Gbit/s
 *
 * Goodput is page bytes over the duration of the first round, which ends when the destination has said that it
 * has applied all of it. The guest is idle, with one slow session. Payload capacity is rate × payload ÷ wire bytes of a full packet.
 */
import { parseArgs } from 'node:util';
import { messageOf, PAGE_SIZE } from '../../src/core/index.js';
import { fabricTestbed } from '../fabric/testbeds/longhaul.js';
import { tcp } from '../fabric/traffic/iperf.js';
import { using } from '../fabric/using.js';
import { Figures, say } from '../figures.js';
import { makeMoves } from './moves.js';
import { PAYLOAD_SHARE, TRANSPORTS, type Transport } from './payload.js';

const ONE_WAY = '400us';
const LIMITED_BPS = 4e9;
/** A session is held, so that a wrong answer ends the bench, and takes next to nothing of what is measured. */
const QUIET_CLIENT = { site: 'a', icmp: '100ms', service: '20ms' } as const;

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    turns: { type: 'string' },
    out: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
const turns = Number(values.turns ?? (values.quick ? 2 : 5));
if (values.help || !Number.isInteger(turns) || turns < 1) {
  console.log('npm run bench:throughput -- [--quick] [--turns N] [--out FILE]');
  process.exit(values.help ? 0 : 2);
}
const memory = values.quick ? '512MiB' : '1GiB';
const iperfSeconds = values.quick ? 3 : 8;

interface Variant {
  readonly transport: Transport;
  readonly insecure: boolean;
  readonly rate: 'unlimited' | '4Gbit';
}

const VARIANTS: readonly Variant[] = (['unlimited', '4Gbit'] as const).flatMap((rate) =>
  [true, false].flatMap((insecure) => TRANSPORTS.map((transport) => ({ transport, insecure, rate }))),
);

const nameOf = ({ transport, insecure, rate }: Variant): string =>
  `${transport}${rate === 'unlimited' ? '' : `_${rate}`}${insecure ? '' : '_sealed'}`;

const figures = new Figures('throughput');
for (const t of TRANSPORTS) {
  const capacity = (LIMITED_BPS * PAYLOAD_SHARE[t]) / 1e9;
  say(
    `payload capacity at 4 Gbit/s over ${t}: ${capacity.toFixed(3)} Gbit/s (${PAYLOAD_SHARE[t].toFixed(4)})`,
  );
}
const gbps = new Map<string, number[]>();
const iperf: number[] = [];
const failed = new Map<string, string>();
for (let turn = 0; turn < turns; turn++) {
  say(`── turn ${turn + 1} of ${turns}`);
  const fiber = { oneWayNs: 400_000, rateBps: Number.POSITIVE_INFINITY };
  const stream = await using(await fabricTestbed({ fiber }), (t) => tcp(t, { seconds: iperfSeconds }));
  iperf.push(stream.bps / 1e9);
  for (const variant of VARIANTS) {
    const name = nameOf(variant);
    try {
      gbps.set(name, [...(gbps.get(name) ?? []), await goodput(variant)]);
    } catch (e) {
      failed.set(name, messageOf(e));
      process.exitCode = 1;
    }
  }
}
figures.add('iperf3.gbps', 'Gbit/s', iperf);
for (const variant of VARIANTS) {
  const name = nameOf(variant);
  const seen = gbps.get(name);
  if (failed.has(name)) figures.skip(name, failed.get(name)!);
  if (seen === undefined) continue;
  if (variant.rate === 'unlimited') {
    figures.add(`${name}.gbps`, 'Gbit/s', seen);
    figures.add(
      `${name}.over_iperf3`,
      'ratio',
      seen.map((v, i) => v / iperf[i]!),
    );
  } else {
    const capacity = (LIMITED_BPS * PAYLOAD_SHARE[variant.transport]) / 1e9;
    figures.add(
      `${name}.share`,
      'ratio',
      seen.map((v) => v / capacity),
    );
  }
}
figures.finish(values.out);

/** @returns Gbit/s of page bytes in the first round */
async function goodput({ transport, insecure, rate }: Variant): Promise<number> {
  const { migrations } = await makeMoves({
    fiber: { 'one-way': ONE_WAY, rate },
    guest: { memory, fill: 'random', dirty: 'idle' },
    clients: [QUIET_CLIENT],
    probe: { count: 10 },
    migration: { mode: 'precopy', transport, insecure },
  });
  const first = migrations[0]!.rounds[0]!;
  return (first.pagesSent * PAGE_SIZE * 8) / first.durationNs;
}
