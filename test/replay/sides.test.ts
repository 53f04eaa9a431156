import * as assert from 'uvu/assert';
import { isLonghaulError } from '../../src/core/index.js';
import { arpFrame, BROADCAST_MAC, udpFrame } from '../../src/l2/index.js';
import { toEthernet } from '../../src/replay/link-layer.js';
import { GivenSides, type Placed, SideFinder, type SideMap } from '../../src/replay/sides.js';
import { suite } from '../suite.js';

const test = suite('replay/sides');

const mac = (n: number): number => 0x02_00_00_00_00_00 + n;
const ip = (n: number): number => 0x0a00_0000 + n;
const talk = (from: number, to: number): Uint8Array =>
  udpFrame(
    { srcMac: mac(from), dstMac: mac(to), srcIp: ip(from), dstIp: ip(to), ipId: 0 },
    1,
    2,
    new Uint8Array(8),
  );

function place(map: SideMap, frame: Uint8Array): string {
  const placed: Placed = { side: 'a', crosses: false };
  map.place(frame, placed);
  return `${placed.side}${placed.crosses ? ' crosses' : ''}`;
}

function found(frames: readonly Uint8Array[]): SideMap {
  const finder = new SideFinder();
  for (const frame of frames) finder.heard(frame);
  return finder.found();
}

test('of two that talk, who spoke first is at A', () => {
  const map = found([talk(7, 3), talk(3, 7), talk(7, 3)]);
  assert.is(place(map, talk(7, 3)), 'a crosses');
  assert.is(place(map, talk(3, 7)), 'b crosses');
});

test('many clients and one server: every conversation crosses', () => {
  const frames = [2, 3, 4, 5].flatMap((c) => [talk(c, 1), talk(1, c)]);
  const map = found(frames);
  assert.equal([...new Set(frames.map((f) => place(map, f)))].sort(), ['a crosses', 'b crosses']);
  assert.is(place(map, talk(2, 3)), 'a', 'two clients are at one side');
});

test('of three that all talk, the lightest conversation stays at one site', () => {
  const frames = [...Array(9).fill(talk(1, 2)), ...Array(5).fill(talk(2, 3)), talk(1, 3)];
  const map = found(frames);
  assert.is(place(map, talk(1, 2)), 'a crosses');
  assert.is(place(map, talk(2, 3)), 'b crosses');
  assert.is(place(map, talk(1, 3)), 'a');
});

test('a broadcast crosses from where its sender is', () => {
  const asks = (n: number): Uint8Array =>
    arpFrame(BROADCAST_MAC, mac(n), {
      operation: 1,
      senderMac: mac(n),
      senderIp: ip(n),
      targetMac: 0,
      targetIp: ip(9),
    });
  const map = found([talk(1, 2), asks(2)]);
  assert.is(place(map, asks(2)), 'b crosses');
  assert.is(place(map, asks(1)), 'a crosses');
});

test('loopback has no MAC addresses: IP addresses tell the sides', () => {
  const bare = (from: number, to: number): Uint8Array => {
    const frame = talk(from, to);
    frame.fill(0, 0, 12);
    return toEthernet(1, frame)!;
  };
  const map = found([bare(5, 6), bare(6, 5)]);
  assert.is(place(map, bare(6, 5)), 'b crosses');
  assert.not.equal(
    [...bare(5, 6).subarray(0, 6)],
    [0, 0, 0, 0, 0, 0],
    'and the frames have addresses to be bridged by',
  );
});

test('a host that talks to itself has a side for each port', () => {
  const self = (src: number, dst: number): Uint8Array => {
    const addresses = { srcMac: 0, dstMac: 0, srcIp: 0x7f000001, dstIp: 0x7f000001, ipId: 0 };
    return toEthernet(1, udpFrame(addresses, src, dst, new Uint8Array(8)))!;
  };
  const map = found([self(40_000, 53), self(53, 40_000), self(40_001, 53)]);
  assert.is(place(map, self(40_000, 53)), 'a crosses');
  assert.is(place(map, self(53, 40_001)), 'b crosses');
});

test('sides that are given: MAC, address, prefix; all else is at B', () => {
  const map = new GivenSides(['02:00:00:00:00:01', '10.0.0.16/28', '10.0.0.40']);
  assert.is(place(map, talk(1, 2)), 'a crosses');
  assert.is(place(map, talk(17, 2)), 'a crosses');
  assert.is(place(map, talk(17, 40)), 'a');
  assert.is(place(map, talk(2, 31)), 'b crosses');
  assert.is(place(map, talk(2, 32)), 'b');
  assert.throws(
    () => new GivenSides(['site one']),
    (e: unknown) => isLonghaulError(e, 'REPLAY_SIDE'),
  );
});

test('a capture of a thousand hosts in a row is coloured in turn', () => {
  const frames = Array.from({ length: 999 }, (_, n) => talk(n + 1, n + 2));
  const map = found(frames);
  for (const [n, frame] of frames.entries())
    assert.is(place(map, frame), n % 2 === 0 ? 'a crosses' : 'b crosses');
});

test.run();
