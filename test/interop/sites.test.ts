/** Real programs in the two sites' namespaces: they must see a segment, at the distance and the loss that was set. */
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { accountingCloses } from '../../src/fiber/index.js';
import { suite } from '../suite.js';
import { lackOf, openSites } from './sites.js';

const test = suite('interop/sites');

for (const [ports, kind] of [
  ['TAP', 'tap'],
  ['AF_PACKET', 'packet'],
] as const) {
  test.when(
    lackOf('ping'),
    `ping over ${ports} ports: every echo answered, none faster than the fiber`,
    async () => {
      const sites = await openSites({ profile: 'metro-80km' }, kind);
      try {
        const out = await sites.run(0, 'ping', '-c', '100', '-i', '0.01', sites.ips[1]);
        assert.match(out, /100 packets transmitted, 100 received/);
        for (const m of out.matchAll(/time=([\d.]+) ms/g)) assert.ok(Number(m[1]) >= 0.8, m[0]);
      } finally {
        await sites.close();
      }
    },
  );

  test.when(
    lackOf('iperf3'),
    `iperf3 over ${ports} ports: bytes arrive both ways and the sums close`,
    async () => {
      const sites = await openSites({ profile: 'metro-80km', rateBps: Number.POSITIVE_INFINITY }, kind);
      try {
        for (const reverse of [[], ['-R']]) {
          const server = sites.run(1, 'iperf3', '-s', '-1');
          await sleep(500);
          const out = await sites.run(0, 'iperf3', '-c', sites.ips[1], '-t', '2', '-J', ...reverse);
          await server;
          const { end } = JSON.parse(out) as { end: { sum_received: { bytes: number } } };
          assert.ok(end.sum_received.bytes > 10e6, `${end.sum_received.bytes} bytes`);
        }
        const snapshot = await sites.snapshot();
        assert.ok(accountingCloses(snapshot.fiber.aToB));
        assert.ok(accountingCloses(snapshot.fiber.bToA));
      } finally {
        await sites.close();
      }
    },
  );
}

test.when(
  lackOf('iperf3'),
  'iperf3 with loss: super-frames are cut around lost packets, and TCP mends it',
  async () => {
    const sites = await openSites({ profile: 'metro-80km', lossProb: 0.002 });
    try {
      const server = sites.run(1, 'iperf3', '-s', '-1');
      await sleep(500);
      const out = await sites.run(0, 'iperf3', '-c', sites.ips[1], '-t', '3', '-J');
      await server;
      const { end } = JSON.parse(out) as {
        end: { sum_sent: { retransmits: number }; sum_received: { bytes: number } };
      };
      assert.ok(end.sum_received.bytes > 1e6);
      assert.ok(end.sum_sent.retransmits > 0, 'TCP saw the loss');
      const { fiber, cutAroundLoss } = await sites.snapshot();
      const lost = fiber.aToB.dropped.loss.packets;
      const offered = fiber.aToB.offered.packets;
      const sigma = Math.sqrt(offered * 0.002 * 0.998);
      assert.ok(Math.abs(lost - offered * 0.002) <= 5 * sigma, `${lost} of ${offered} packets lost`);
      assert.ok(cutAroundLoss > 0);
      assert.ok(accountingCloses(fiber.aToB));
    } finally {
      await sites.close();
    }
  },
);

test.run();
