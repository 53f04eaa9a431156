/** Filters over golden frames, each byte that a filter reads written out. */
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { type Frame, frameOf, NO_OFFLOAD } from '../../src/core/index.js';
import { checkLane, type FrameFilter, FrameMatcher } from '../../src/fiber/index.js';
import { suite } from '../suite.js';

const test = suite('fiber/frame-filter');

/** A frame from annotated hex: everything behind `|` on a line is comment. It lies at an offset, as in a pool. */
function frame(hex: string): Frame {
  const digits = hex.replace(/\|.*$/gm, '').replace(/\s/g, '');
  const bytes = Uint8Array.from(digits.match(/../g) ?? [], (octet) => Number.parseInt(octet, 16));
  const data = new Uint8Array(bytes.length + 40).fill(0xee);
  data.set(bytes, 16);
  return { data, start: 16, length: bytes.length, offload: NO_OFFLOAD };
}

const MACS = `
  02 4c 48 00 00 10        | destination
  02 4c 48 00 00 20        | source
`;
const IPV4 = `
  45 00 00 28 00 01        | version 4, header of 5 words; total length 40; id
  40 00                    | don't fragment, offset 0
  40 06 00 00              | time to live, protocol 6 (TCP), checksum
  0a 50 00 0a 0a 50 00 0b  | 10.80.0.10 → 10.80.0.11`;
const TCP = `
  1f 40 c3 50              | ports 8000 → 50000
  00 00 00 00 00 00 00 00 50 10 00 00 00 00 00 00`;

const TCP4 = frame(`${MACS} 08 00 | EtherType IPv4 ${IPV4} ${TCP}`);
const TAGGED = frame(`${MACS} 88 a8 00 64 81 00 00 0a 08 00 | tags 802.1ad 100, 802.1Q 10, then IPv4
  ${IPV4} ${TCP}`);
const OPTIONS4 = frame(`${MACS} 08 00
  46 00 00 2c 00 01 40 00 40 11 00 00 0a 50 00 0a 0a 50 00 0b | header of 6 words, protocol 17 (UDP)
  01 01 01 00                                                 | options
  00 35 1f 40 00 08 00 00                                     | ports 53 → 8000`);
const LATER_FRAGMENT = frame(`${MACS} 08 00
  45 00 00 28 00 01 00 b9 40 06 00 00 0a 50 00 0a 0a 50 00 0b | fragment at offset 185 · 8
  1f 40 c3 50 00 00 00 00`);
const IPV6 = frame(`${MACS} 86 dd
  60 00 00 00 00 18 00 40                          | version 6, length 24, next header 0 (hop by hop)
  fe 80 00 00 00 00 00 00 00 00 00 00 00 00 00 01
  fe 80 00 00 00 00 00 00 00 00 00 00 00 00 00 02
  2c 00 05 02 00 00 01 00                          | next header 44 (fragment), options of 8 bytes
  11 00 00 01 00 00 00 07                          | next header 17 (UDP), offset 0, more follow
  12 b5 00 35 00 08 00 00                          | ports 4789 → 53`);
const ARP = frame(`${MACS} 08 06 00 01 08 00 06 04 00 01`);

const matches = (filter: FrameFilter, of: Frame, trafficClass: 0 | 1 = 0) =>
  new FrameMatcher(filter).hasHeaders(of, trafficClass);

test('each field is read where it stands', () => {
  for (const [filter, other] of [
    [{ etherType: 0x0800 }, { etherType: 0x86dd }],
    [{ ipProtocol: 6 }, { ipProtocol: 17 }],
    [{ sourceMac: '02:4c:48:00:00:20' }, { sourceMac: '02:4c:48:00:00:10' }],
    [{ destinationMac: '02:4c:48:00:00:10' }, { destinationMac: '02:4c:48:00:00:11' }],
    [{ sourcePort: 8000 }, { sourcePort: 50_000 }],
    [{ destinationPort: 50_000 }, { destinationPort: 8000 }],
    [{ port: 8000 }, { port: 8001 }],
    [{ port: 50_000 }, { port: 53 }],
    [{ trafficClass: 'guest' }, { trafficClass: 'vmotion' }],
  ] as const) {
    assert.ok(matches(filter, TCP4), JSON.stringify(filter));
    assert.not.ok(matches(other, TCP4), JSON.stringify(other));
  }
});

test('all that is given must match; nothing given matches all', () => {
  assert.ok(matches({ ipProtocol: 6, port: 8000, sourceMac: '02:4c:48:00:00:20' }, TCP4));
  assert.not.ok(matches({ ipProtocol: 6, port: 8000, sourceMac: '02:4c:48:00:00:21' }, TCP4));
  for (const any of [TCP4, TAGGED, IPV6, ARP, frameOf(new Uint8Array(0))]) assert.ok(matches({}, any));
  assert.ok(matches({ trafficClass: 'vmotion' }, TCP4, 1));
});

test('VLAN tags, IPv4 options and IPv6 extension headers are stepped over', () => {
  assert.ok(matches({ etherType: 0x0800, ipProtocol: 6, destinationPort: 50_000 }, TAGGED));
  assert.ok(matches({ ipProtocol: 17, sourcePort: 53, destinationPort: 8000 }, OPTIONS4));
  assert.ok(matches({ etherType: 0x86dd, ipProtocol: 17, sourcePort: 4789, destinationPort: 53 }, IPV6));
});

test('a port is not read where there is none', () => {
  assert.ok(matches({ ipProtocol: 6 }, LATER_FRAGMENT));
  assert.not.ok(matches({ port: 8000 }, LATER_FRAGMENT));
  assert.not.ok(matches({ port: 0x0604 }, ARP));
  assert.not.ok(matches({ ipProtocol: 0 }, ARP));
});

test('a frame cut anywhere never matches what was cut away, and nothing beyond its end is read', () => {
  for (const whole of [TCP4, TAGGED, OPTIONS4, IPV6]) {
    for (let length = 0; length < whole.length - 4; length++) {
      const cut = { ...whole, length };
      const beyond = whole.data.slice();
      beyond.fill(0, whole.start + length);
      for (const filter of [{ port: 53 }, { ipProtocol: 6 }, { etherType: 0x0800 }, { port: 8000 }]) {
        assert.is(matches(filter, cut), matches(filter, { ...cut, data: beyond }));
      }
    }
  }
  assert.not.ok(matches({ etherType: 0x0800 }, { ...TCP4, length: 13 }));
  assert.not.ok(matches({ port: 8000 }, { ...TCP4, length: 34 }));
});

test('any bytes are read without throwing', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
      matches({ port: 1, ipProtocol: 6 }, frameOf(bytes));
      for (const type of [0x0800, 0x86dd, 0x8100]) {
        const headed = new Uint8Array(14 + bytes.length);
        headed.set([type >> 8, type & 255], 12);
        headed.set(bytes, 14);
        matches({ port: 1 }, frameOf(headed));
      }
    }),
    { numRuns: 2000 },
  );
});

test('a filter that can match nothing is refused', () => {
  const line = (match: FrameFilter) => {
    try {
      checkLane({ drops: [{ fromNs: 0, untilNs: null, match, nth: 1, count: 1 }] });
    } catch (e) {
      return (e as { line(): string }).line();
    }
    throw new Error('was accepted');
  };
  assert.match(line({ port: 65_536 }), 'FIBER_FILTER: lane: port 65536 is outside 0..65535');
  assert.match(line({ sourceMac: '2:4c' }), 'sourceMac 2:4c');
  assert.match(line({ minLength: 100, maxLength: 90 }), 'length 100..90 is outside an ascending range');
});

test.run();
