import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { FULL_PACKET_WIRE_BYTES, packetWireBytes, wireBytesOf } from '../../src/fiber/index.js';
import { suite } from '../suite.js';

const test = suite('fiber/wire-size');

test('preamble, FCS and gap stand around every frame', () => {
  assert.is(packetWireBytes(1514), 8 + 1514 + 4 + 12);
  assert.is(FULL_PACKET_WIRE_BYTES, packetWireBytes(1514));
  assert.is(packetWireBytes(9014), 8 + 9014 + 4 + 12);
});

test('short frames are padded to 64 bytes with FCS', () => {
  assert.is(packetWireBytes(42), 84); // an ARP request: 14 + 28
  assert.is(packetWireBytes(60), 84);
  assert.is(packetWireBytes(61), 85);
});

test('a super-frame repeats its headers in each packet, the last is shorter', () => {
  // 66 bytes of headers (Ethernet, IPv4, TCP with timestamps) and 4000 of payload: 1448 + 1448 + 1104
  assert.is(wireBytesOf(66 + 4000, 3, 66, 1448), 1538 + 1538 + (8 + 66 + 1104 + 4 + 12));
  // 64 bytes of payload above one packet's: the last packet has 130 bytes
  assert.is(wireBytesOf(66 + 1448 + 64, 2, 66, 1448), 1538 + 154);
  // a last packet of one byte of payload is 67 bytes; one of 54 + 1 is padded
  assert.is(wireBytesOf(54 + 100 + 1, 2, 54, 100), packetWireBytes(154) + 84);
});

test('a super-frame takes what its packets would take one by one', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 42, max: 120 }),
      fc.integer({ min: 1, max: 9000 }),
      fc.integer({ min: 1, max: 65_535 }),
      (header, gsoSize, payload) => {
        let sum = 0;
        let packets = 0;
        for (let left = payload; left > 0; left -= gsoSize, packets++) {
          sum += packetWireBytes(header + Math.min(left, gsoSize));
        }
        assert.is(wireBytesOf(header + payload, packets, header, gsoSize), sum);
      },
    ),
  );
});

test.run();
