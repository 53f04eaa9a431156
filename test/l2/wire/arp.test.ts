import fc from 'fast-check';
import * as assert from 'uvu/assert';
import {
  ARP_REQUEST,
  arpFrame,
  BROADCAST_MAC,
  decodeArp,
  decodeRarp,
  parseIpv4,
  parseMac,
  RARP_REQUEST,
  rarpAnnouncement,
  writeArp,
} from '../../../src/l2/index.js';
import { suite } from '../../suite.js';
import { hex } from '../oracle.js';

const test = suite('l2/wire/arp, rarp');
const mac = parseMac('52:54:00:00:00:01');

test('a golden request', () => {
  const golden = hex(`
    ff ff ff ff ff ff  52 54 00 00 00 01  08 06   # broadcast, from us, ARP
    00 01                                         # hardware: Ethernet
    08 00                                         # protocol: IPv4
    06 04                                         # address lengths
    00 01                                         # who-has
    52 54 00 00 00 01  0a 00 00 01                # sender
    00 00 00 00 00 00  0a 00 00 02                # target, MAC wanted
    00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00   # padding to 60
  `);
  const packet = {
    operation: ARP_REQUEST,
    senderMac: mac,
    senderIp: parseIpv4('10.0.0.1'),
    targetMac: 0,
    targetIp: parseIpv4('10.0.0.2'),
  };
  assert.equal(arpFrame(BROADCAST_MAC, mac, packet), golden);
  assert.equal(decodeArp(golden, 14, golden.length), { ok: true, value: packet });
});

test('a golden RARP announcement, byte for byte what QEMU sends', () => {
  const golden = hex(`
    ff ff ff ff ff ff  52 54 00 00 00 01  80 35   # broadcast, from the guest's MAC, RARP
    00 01  08 00  06 04  00 03                    # Ethernet, IPv4, request reverse
    52 54 00 00 00 01  00 00 00 00                # sender: the guest, IP not known
    52 54 00 00 00 01  00 00 00 00                # target: the guest
    00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00   # padding to 60
  `);
  assert.equal(rarpAnnouncement(mac), golden);
  const rarp = decodeRarp(golden, 14, golden.length);
  assert.ok(rarp.ok && rarp.value.operation === RARP_REQUEST && rarp.value.targetMac === mac);
});

test('what is written is read, anywhere in a buffer', () => {
  const u48 = fc.maxSafeNat().map((n) => n % (BROADCAST_MAC + 1));
  const u32 = fc.nat(0xffff_ffff);
  const anyPacket = fc.record(
    { operation: fc.nat(0xffff), senderMac: u48, senderIp: u32, targetMac: u48, targetIp: u32 },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(anyPacket, fc.nat(9), (packet, at) => {
      const b = new Uint8Array(at + 28).fill(0xee);
      writeArp(b, at, packet);
      assert.equal(decodeArp(b, at, b.length), { ok: true, value: packet });
      if (at > 0) assert.is(b[at - 1], 0xee);
    }),
  );
});

test('each way to be wrong has a code and a place', () => {
  const good = rarpAnnouncement(mac);
  const spoilt = (at: number): Uint8Array => {
    const b = good.slice();
    b[at]! ^= 0x40;
    return b;
  };
  assert.equal(decodeArp(good, 14, 41), { ok: false, code: 'truncated', at: 41 });
  assert.equal(decodeArp(spoilt(15), 14, 60), { ok: false, code: 'hardware-type', at: 14 });
  assert.equal(decodeArp(spoilt(16), 14, 60), { ok: false, code: 'protocol-type', at: 16 });
  assert.equal(decodeArp(spoilt(18), 14, 60), { ok: false, code: 'address-length', at: 18 });
  assert.equal(decodeArp(spoilt(19), 14, 60), { ok: false, code: 'address-length', at: 19 });
  assert.equal(decodeRarp(spoilt(21), 14, 60), { ok: false, code: 'operation', at: 20 });
});

test.run();
