/** Moves over our own UDP transport in namespaces, where the kernel carries its datagrams; and limits of the rate. */
import * as assert from 'uvu/assert';
import { suite } from '../suite.js';
import { lossyMoves, netnsLack, quick, run } from './udp-moves.js';

const test = suite('lab/run over UDP');

lossyMoves(test, 'netns');

test.when(netnsLack(), 'a fixed rate without parity: no faster than that', async () => {
  const result = await run({
    attach: 'netns',
    migration: {
      ...quick,
      transport: 'udp',
      mode: 'precopy',
      congestion: 'fixed',
      rate: '400Mbit',
      fec: 'off',
    },
  });
  const m = result.migrations[0]!;
  assert.is(m.outcome, 'completed', JSON.stringify(m.reason));
  assert.is(m.memoryIdentical, true);
  const t = m.transport!;
  assert.equal([t.congestion, t.paritySent, t.pacingBps], ['fixed', 0, 400e6]);
  const bps = (m.rounds[0]!.bytes * 8e9) / m.rounds[0]!.durationNs;
  assert.ok(bps <= 410e6, `${bps}`);
});

test.when(
  netnsLack(),
  'TCP keeps to the rate too, with the congestion control that was asked for',
  async () => {
    const result = await run({
      attach: 'netns',
      migration: {
        ...quick,
        transport: 'tcp',
        mode: 'precopy',
        congestion: 'cubic',
        rate: '200Mbit',
        streams: 2,
      },
    });
    const [m] = result.migrations;
    assert.is(m!.outcome, 'completed', JSON.stringify(m!.reason));
    const t = m!.transport!;
    assert.equal([t.name, t.congestion, t.streams], ['tcp', 'cubic', 2]);
    const [first] = m!.rounds;
    // The first window of each stream leaves before the kernel begins to pace.
    assert.ok(
      (first!.bytes * 8e9) / first!.durationNs <= 240e6,
      `${(first!.bytes * 8e9) / first!.durationNs}`,
    );
  },
);

test.run();
