import fc from 'fast-check';
import * as assert from 'uvu/assert';
import {
  advertisedMacAt,
  decodeNeighbour,
  formatIpv6,
  linkLocalFromMac,
  neighbourSolicitation,
  parseMac,
  solicitedAdvertisement,
  unsolicitedAdvertisement,
} from '../../../src/l2/index.js';
import { suite } from '../../suite.js';
import { hex, naiveSum } from '../oracle.js';

const test = suite('l2/wire/ndp');

const ASKER = parseMac('52:54:00:00:00:02');
const GUEST = parseMac('52:54:00:00:00:01');
const ASKER_IP = hex('fe80 0000 0000 0000 5054 00ff fe00 0002');
const GUEST_IP = hex('fe80 0000 0000 0000 5054 00ff fe12 3456');
const AT = 14;

/** The checksum an independent sum gives the ICMPv6 message behind an IPv6 header at 14. */
function mend(b: Uint8Array): Uint8Array {
  b.set([0, 0], 56);
  const length = (b[18]! << 8) | b[19]!;
  const sum = naiveSum(b.subarray(22, 54), Uint8Array.of(0, length, 0, 58), b.subarray(54, 54 + length));
  b.set([(sum >> 8) ^ 0xff, (sum & 0xff) ^ 0xff], 56);
  return b;
}

test('a golden solicitation', () => {
  const b = neighbourSolicitation(ASKER, ASKER_IP, GUEST_IP);
  assert.equal(
    b,
    mend(
      hex(`
        33 33 ff 12 34 56  52 54 00 00 00 02  86 dd       # to the solicited-node group, IPv6
        60 00 00 00  00 20  3a  ff                        # 32 bytes of ICMPv6, hop limit 255
        fe 80 00 00 00 00 00 00 50 54 00 ff fe 00 00 02   # from the asker
        ff 02 00 00 00 00 00 00 00 00 00 01 ff 12 34 56   # to ff02::1:ff12:3456
        87 00  00 00                                      # neighbour solicitation, checksum
        00 00 00 00                                       # reserved
        fe 80 00 00 00 00 00 00 50 54 00 ff fe 12 34 56   # target
        01 01  52 54 00 00 00 02                          # option: source's MAC
      `),
    ),
  );
  assert.equal(decodeNeighbour(b, AT, b.length), {
    ok: true,
    value: { kind: 'solicitation', srcAt: 22, targetAt: 62, isProbe: false, mac: ASKER },
  });
});

test('a golden answer', () => {
  const b = solicitedAdvertisement(GUEST, GUEST_IP, true, ASKER, ASKER_IP);
  assert.equal(
    b,
    mend(
      hex(`
        52 54 00 00 00 02  52 54 00 00 00 01  86 dd       # to the asker, IPv6
        60 00 00 00  00 20  3a  ff                        # 32 bytes of ICMPv6, hop limit 255
        fe 80 00 00 00 00 00 00 50 54 00 ff fe 12 34 56   # from the guest
        fe 80 00 00 00 00 00 00 50 54 00 ff fe 00 00 02   # to the asker
        88 00  00 00                                      # neighbour advertisement, checksum
        e0 00 00 00                                       # router, solicited, override
        fe 80 00 00 00 00 00 00 50 54 00 ff fe 12 34 56   # target
        02 01  52 54 00 00 00 01                          # option: target's MAC
      `),
    ),
  );
  assert.equal(decodeNeighbour(b, AT, b.length), {
    ok: true,
    value: {
      kind: 'advertisement',
      targetAt: 62,
      isRouter: true,
      isSolicited: true,
      overrides: true,
      mac: GUEST,
    },
  });
  assert.is(advertisedMacAt(b, AT, b.length), 80);
});

test('each way a message can be wrong', () => {
  const wrong = (at: number, value: number, from = neighbourSolicitation(ASKER, ASKER_IP, GUEST_IP)) => {
    from[at] = value;
    const result = decodeNeighbour(mend(from), AT, from.length);
    return result.ok ? 'ok' : result.code;
  };
  assert.is(wrong(54, 135), 'ok');
  assert.is(wrong(54, 133), 'not-neighbour', 'a router solicitation');
  assert.is(wrong(20, 17), 'not-neighbour', 'UDP');
  assert.is(wrong(14, 0x40), 'not-neighbour', 'version 4');
  assert.is(wrong(21, 254), 'hop-limit', 'it came through a router');
  assert.is(wrong(55, 1), 'malformed', 'code 1');
  assert.is(wrong(62, 0xff), 'malformed', 'a group as target');
  assert.is(wrong(79, 0), 'option', 'an option of length 0');
  assert.is(wrong(79, 2), 'option', 'an option past the end');
  assert.is(wrong(19, 23), 'truncated', 'no room for the target');
  assert.is(wrong(19, 33), 'truncated', 'past the end of the frame');
  const b = neighbourSolicitation(ASKER, ASKER_IP, GUEST_IP);
  b[57]! ^= 1;
  assert.equal(decodeNeighbour(b, AT, b.length), { ok: false, code: 'checksum', at: 56 });
  assert.ok(decodeNeighbour(b, AT, b.length, true).ok, 'unless somebody else sees to it');
  const toAll = unsolicitedAdvertisement(GUEST, GUEST_IP);
  assert.is(wrong(58, 0x60, toAll), 'malformed', 'solicited, and to a group');
});

test('a probe is known by its source, and must not name a MAC', () => {
  const probe = neighbourSolicitation(ASKER, new Uint8Array(16), GUEST_IP);
  assert.equal(decodeNeighbour(probe, AT, probe.length), { ok: false, code: 'option', at: 78 });
  const bare = probe.slice();
  bare[78] = 14; // a nonce in place of the MAC, RFC 7527
  const nd = decodeNeighbour(mend(bare), AT, bare.length);
  assert.ok(nd.ok && nd.value.kind === 'solicitation' && nd.value.isProbe && nd.value.mac === null);
});

test('the link-local address of a MAC', () => {
  assert.is(formatIpv6(linkLocalFromMac(parseMac('52:54:00:12:34:56')), 0), 'fe80::5054:ff:fe12:3456');
  assert.equal(
    linkLocalFromMac(parseMac('00:00:5e:00:53:01')),
    hex('fe80 0000 0000 0000 0200 5eff fe00 5301'),
  );
});

test('random bytes never throw and never read past the end', () => {
  const good = solicitedAdvertisement(GUEST, GUEST_IP, false, ASKER, ASKER_IP);
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(85), fc.nat(255)), { maxLength: 6 }), fc.nat(86), (edits, end) => {
      const b = good.slice();
      for (const [at, value] of edits) b[at] = value;
      const nd = decodeNeighbour(b, AT, end, true);
      if (nd.ok) assert.ok(nd.value.targetAt + 16 <= end);
      else assert.ok(nd.at >= 0 && nd.at <= b.length);
      const macAt = advertisedMacAt(b, AT, end);
      assert.ok(macAt === -1 || (macAt >= 0 && macAt + 6 <= end));
    }),
    { numRuns: 2000 },
  );
});

test.run();
