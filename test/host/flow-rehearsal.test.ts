import { readdirSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { rehearseFlow } from '../../src/host/flow-rehearsal.js';
import type { TransportOrders } from '../../src/host/ipc.js';
import { suite } from '../suite.js';

const test = suite('host/flow-rehearsal');

const TRANSPORTS: readonly TransportOrders[] = [
  { kind: 'tcp', congestion: null, rateBps: null },
  { kind: 'udp', congestion: 'bbr', rateBps: null, fec: true },
];

for (const [transport, sealed] of TRANSPORTS.flatMap((t) => [[t, false] as const, [t, true] as const]))
  test(`${transport.kind}${sealed ? ', sealed' : ''}: every round arrives as it was sent, and no descriptor stays open`, () => {
    const openBefore = readdirSync('/proc/self/fd').length;
    const { arrived, good } = rehearseFlow(transport, sealed, 5, Number.POSITIVE_INFINITY);
    assert.is(arrived, 5);
    assert.ok(good, 'memory is the same on both sides');
    assert.is(readdirSync('/proc/self/fd').length, openBefore);
  });

test('a rehearsal whose time is over leaves no descriptor open', () => {
  const openBefore = readdirSync('/proc/self/fd').length;
  for (const transport of TRANSPORTS)
    for (const limitNs of [1, 500_000, 5_000_000]) {
      const { arrived } = rehearseFlow(transport, true, 1_000_000, limitNs);
      assert.ok(arrived < 1_000_000);
      assert.is(readdirSync('/proc/self/fd').length, openBefore, `after ${limitNs} ns`);
    }
});

test.run();
