import * as assert from 'uvu/assert';
import { EnvironmentError } from '../../src/core/index.js';
import { transportOrders } from '../../src/lab/transport-choice.js';
import { suite } from '../suite.js';

const test = suite('lab/transport-choice');
const asked = { transport: 'auto', congestion: 'auto', rateBps: null, fec: true } as const;

test('what nobody chose follows the attach: TCP over a kernel network, else UDP', () => {
  assert.equal(transportOrders(asked, 'netns'), { kind: 'tcp', congestion: null, rateBps: null });
  assert.equal(transportOrders(asked, 'loopback'), {
    kind: 'udp',
    congestion: 'bbr',
    rateBps: null,
    fec: true,
  });
});

test('a fixed rate is our own transport’s', () => {
  assert.equal(transportOrders({ ...asked, congestion: 'fixed', rateBps: 1e9 }, 'netns'), {
    kind: 'udp',
    congestion: 'fixed',
    rateBps: 1e9,
    fec: true,
  });
});

test('what was asked for is done', () => {
  const cubic = { ...asked, congestion: 'cubic', rateBps: 2e9, fec: false } as const;
  assert.equal(transportOrders({ ...cubic, transport: 'tcp' }, 'netns'), {
    kind: 'tcp',
    congestion: 'cubic',
    rateBps: 2e9,
  });
  assert.equal(transportOrders({ ...cubic, transport: 'udp' }, 'netns'), {
    kind: 'udp',
    congestion: 'cubic',
    rateBps: 2e9,
    fec: false,
  });
});

test('TCP on a machine without namespaces is refused before anything is made', () => {
  assert.throws(
    () => transportOrders({ ...asked, transport: 'tcp' }, 'loopback'),
    (e: unknown) => e instanceof EnvironmentError && e.code === 'LAB_NO_TCP',
  );
});

test.run();
