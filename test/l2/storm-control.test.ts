import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { type Frame, frameOf, GSO_TCPV4, NS_PER_MS, NS_PER_S } from '../../src/core/index.js';
import { BROADCAST_MAC, type StormLimit } from '../../src/l2/index.js';
import { TokenBucket } from '../../src/l2/storm-control.js';
import { suite } from '../suite.js';
import { frameBytes, Site } from './site.js';

const test = suite('l2/storm-control');

const A = 0x525400000001;
const frame = (length: number): Frame => frameOf(new Uint8Array(length));

test('a burst passes whole, then one packet each time its token has come', () => {
  const bucket = new TokenBucket({ ratePps: 1000, burstPackets: 3 });
  const passes = (atMs: number): boolean => bucket.admits(atMs * NS_PER_MS, frame(60));
  assert.equal([0, 0, 0, 0].map(passes), [true, true, true, false]);
  assert.equal([0.999, 1, 1].map(passes), [false, true, false]);
  assert.equal(
    [100, 100, 100, 100].map(passes),
    [true, true, true, false],
    'idle time fills it, and no more',
  );
});

test('bits are those of the frame', () => {
  const bucket = new TokenBucket({ rateBps: 8000, burstBytes: 1000 });
  assert.equal(
    [600, 600, 400, 1].map((bytes) => bucket.admits(0, frame(bytes))),
    [true, false, true, false],
  );
  assert.ok(bucket.admits(NS_PER_S, frame(1000)), 'a thousand bytes a second');
});

/** Headers of 54 bytes and 100 packets of 10. */
function superFrame(): Frame {
  const data = new Uint8Array(1054);
  data.set([0x08, 0x00, 0x45], 12);
  data[23] = 6;
  data[46] = 0x50;
  const offload = { flags: 1, gsoType: GSO_TCPV4, hdrLen: 54, gsoSize: 10, csumStart: 34, csumOffset: 16 };
  return { data, start: 0, length: data.length, offload };
}

test('a super-frame counts as the packets it stands for, and one larger than the bucket leaves a debt', () => {
  const bucket = new TokenBucket({ ratePps: 1000, burstPackets: 10 });
  assert.ok(bucket.admits(0, superFrame()), 'the bucket is full');
  assert.not(bucket.admits(90 * NS_PER_MS, frame(60)), '100 packets are 100 ms, less the bucket of 10');
  assert.ok(bucket.admits(91 * NS_PER_MS, frame(60)));
  assert.not(bucket.admits(100 * NS_PER_MS, superFrame()), 'not full');
});

test('in no window does more pass than the rate and one burst', () => {
  const anyLimit: fc.Arbitrary<{ limit: StormLimit; perSecond: number; burst: number }> = fc
    .tuple(fc.integer({ min: 1, max: 1000 }), fc.integer({ min: 1, max: 50 }))
    .map(([ratePps, burstPackets]) => ({
      limit: { ratePps, burstPackets },
      perSecond: ratePps,
      burst: burstPackets,
    }));
  fc.assert(
    fc.property(
      anyLimit,
      fc.array(fc.nat(5_000_000), { maxLength: 400 }),
      ({ limit, perSecond, burst }, gaps) => {
        const bucket = new TokenBucket(limit);
        const passed: number[] = [];
        let now = 0;
        for (const gap of gaps) {
          now += gap;
          if (bucket.admits(now, frame(60))) passed.push(now);
        }
        passed.forEach((from, i) => {
          passed.slice(i).forEach((to, n) => {
            assert.ok(
              n + 1 <= burst + ((to - from) * perSecond) / NS_PER_S + 1e-6,
              `${n + 1} in ${to - from} ns`,
            );
          });
        });
      },
    ),
    { numRuns: 50 },
  );
});

test('each class of flooded frames has its own limit and its own reason; known unicast has none', () => {
  const storm = {
    broadcast: { ratePps: 1, burstPackets: 1 },
    multicast: { ratePps: 1, burstPackets: 2 },
    unknownUnicast: { ratePps: 1, burstPackets: 3 },
  };
  const site = new Site({}, { noisy: { options: { storm } }, other: {} });
  const give = (dst: number): string => site.give(0, 'noisy', frameBytes(A, dst));
  const four = (dst: number): string[] => [1, 2, 3, 4].map(() => give(dst));
  assert.equal(four(BROADCAST_MAC), ['other', ...Array(3).fill('drop storm-broadcast')]);
  assert.equal(four(0x01005e000005), ['other', 'other', ...Array(2).fill('drop storm-multicast')]);
  assert.equal(four(0x525400000099), ['other', 'other', 'other', 'drop storm-unknown-unicast']);
  site.give(0, 'other', frameBytes(0x525400000099, A));
  assert.equal(four(0x525400000099), Array(4).fill('other'));
  assert.is(
    site.give(0, 'other', frameBytes(0x525400000099, BROADCAST_MAC)),
    'noisy',
    'other ports are not limited',
  );
  assert.is(site.give(NS_PER_S, 'noisy', frameBytes(A, BROADCAST_MAC)), 'other', 'a second later');
});

test('the default bucket is a tenth of a second, and never too small for one frame', () => {
  const site = new Site({}, { noisy: { options: { storm: { broadcast: { ratePps: 100 } } } }, other: {} });
  const results = Array.from({ length: 11 }, () => site.give(0, 'noisy', frameBytes(A, BROADCAST_MAC)));
  assert.is(results.filter((r) => r === 'other').length, 10);
  assert.ok(new TokenBucket({ rateBps: 1000 }).admits(0, frame(1518)));
  assert.ok(new TokenBucket({ ratePps: 1 }).admits(0, frame(60)));
});

test.run();
