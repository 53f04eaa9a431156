import * as assert from 'uvu/assert';
import { NS_PER_S } from '../../src/core/index.js';
import { BROADCAST_MAC, type BridgeOptions, EXPECTED_MOVE_NS, rarpAnnouncement } from '../../src/l2/index.js';
import { MacMoves, MOVE_ADMITTED, MOVE_DETECTED } from '../../src/l2/mac-moves.js';
import { suite } from '../suite.js';
import { frameBytes, Site } from './site.js';

const test = suite('l2/mac-moves');

const A = 0x525400000001;
const CLIENT = 0x525400000009;
const hello = frameBytes(A, BROADCAST_MAC);

const site = (options: BridgeOptions = { duplicateMac: {} }): Site =>
  new Site(options, { left: {}, right: {}, client: {} });

/** The address heard on the two ports in turn, a second apart; the results by second. */
function flap(s: Site, times: number, fromS = 0): string[] {
  return Array.from({ length: times }, (_, i) => {
    const atS = fromS + i;
    return s.give(atS * NS_PER_S, atS % 2 === 0 ? 'left' : 'right', hello);
  });
}

test('the fifth move within 180 s freezes the address where it was', () => {
  const s = site();
  // Seconds 1, 2, 3 and 4 are moves; that of second 5 is one too many.
  assert.equal(flap(s, 8), [
    'right client',
    'left client',
    'right client',
    'left client',
    'right client',
    'drop mac-duplicate',
    'right client',
    'drop mac-duplicate',
  ]);
  assert.equal(s.duplicates, [A], 'one alarm, not one a frame');
  assert.is(s.give(9 * NS_PER_S, 'client', frameBytes(CLIENT, A)), 'left');
  const { moves, drops, macs } = s.bridge.counters();
  assert.equal(moves, {
    expected: 0,
    detected: 1,
    frozen: [{ mac: A, vid: 0, port: 0, sinceNs: 5 * NS_PER_S, untilNs: Number.POSITIVE_INFINITY }],
  });
  assert.is(drops['mac-duplicate'], 2);
  assert.is(macs.moved, 4, 'the refused moves never happened');
});

test('what is refused is refused to all: unicast, known or not', () => {
  const s = site();
  flap(s, 6);
  s.give(6 * NS_PER_S, 'client', frameBytes(CLIENT, BROADCAST_MAC));
  assert.is(s.give(6 * NS_PER_S, 'right', frameBytes(A, CLIENT)), 'drop mac-duplicate');
  assert.is(s.give(6 * NS_PER_S, 'left', frameBytes(A, CLIENT)), 'client');
});

test('slow moves are never too many: the count begins anew after the window', () => {
  const s = site();
  const results = Array.from({ length: 20 }, (_, i) =>
    s.give(i * 50 * NS_PER_S, i % 2 === 0 ? 'left' : 'right', hello),
  );
  // Moves at 50, 100, 150 and 200 s; the window of the first ends at 230 s, that of 250 s is new.
  assert.not(results.some((r) => r.startsWith('drop')));
});

test('the fifth move on the last instant of the window is one too many, a nanosecond later it is the first', () => {
  for (const [atNs, expected] of [
    [180 * NS_PER_S + NS_PER_S, 'drop mac-duplicate'],
    [180 * NS_PER_S + NS_PER_S + 1, 'left client'],
  ] as const) {
    const s = site();
    flap(s, 5); // the first move was at 1 s
    assert.is(s.give(atNs, 'right', hello), expected);
  }
});

test('by default an address may move as often as it likes', () => {
  const s = site({});
  assert.not(flap(s, 100).some((r) => r.startsWith('drop')));
  assert.is(s.bridge.counters().moves, null);
});

test('a hold that ends lets the address move again, and counts from nothing', () => {
  const s = site({ duplicateMac: { moves: 2, windowNs: 10 * NS_PER_S, holdNs: 60 * NS_PER_S } });
  assert.equal(flap(s, 3).slice(1), ['left client', 'drop mac-duplicate']);
  assert.is(s.give(61 * NS_PER_S, 'left', hello), 'drop mac-duplicate');
  assert.is(s.give(62 * NS_PER_S, 'left', hello), 'right client');
  assert.is(s.bridge.counters().moves!.frozen.length, 0);
  assert.is(s.give(63 * NS_PER_S, 'right', hello), 'drop mac-duplicate', 'two moves are too many here');
});

test('a frozen address stays frozen when its own port falls silent and its entry ages out', () => {
  const s = site();
  flap(s, 6);
  assert.is(s.give(1000 * NS_PER_S, 'right', hello), 'drop mac-duplicate');
  assert.is(s.give(1001 * NS_PER_S, 'left', hello), 'right client');
});

test('an operator who has found the second host clears the address', () => {
  const s = site();
  flap(s, 6);
  s.event(6 * NS_PER_S, { type: 'duplicate-cleared', mac: A });
  assert.equal(flap(s, 4, 7), ['left client', 'right client', 'left client', 'right client']);
});

test('a frozen port that goes frees its addresses', () => {
  const s = site();
  flap(s, 6);
  s.event(6 * NS_PER_S, { type: 'port-removed', port: s.numbers.get('left')! });
  assert.is(s.give(7 * NS_PER_S, 'right', hello), 'client');
});

test('moves that were announced do not count, however many', () => {
  const s = site();
  for (let i = 0; i < 40; i++) {
    const to = i % 2 === 0 ? 'left' : 'right';
    s.event(i, { type: 'move-expected', mac: A, port: s.numbers.get(to)! });
    assert.not(s.give(i, to, rarpAnnouncement(A)).startsWith('drop'));
  }
  const { moves } = s.bridge.counters();
  assert.equal([moves!.expected, moves!.detected], [39, 0], 'the first time it was new');
});

test('an announced move ends the count of those before it', () => {
  const s = site();
  flap(s, 4); // three moves
  s.event(4 * NS_PER_S, { type: 'move-expected', mac: A });
  assert.equal(
    flap(s, 6, 4).map((r) => r.startsWith('drop')),
    [false, false, false, false, false, true],
  );
});

test('an announced move frees a frozen address, but only to its port and within a minute', () => {
  const s = site();
  flap(s, 6);
  s.event(6 * NS_PER_S, { type: 'move-expected', mac: A, port: s.numbers.get('client')! });
  assert.is(s.give(6 * NS_PER_S, 'right', hello), 'drop mac-duplicate');
  s.event(6 * NS_PER_S, { type: 'move-expected', mac: A });
  assert.is(s.give(6 * NS_PER_S + EXPECTED_MOVE_NS + 1, 'right', hello), 'drop mac-duplicate', 'too late');
  s.event(70 * NS_PER_S, { type: 'move-expected', mac: A, port: s.numbers.get('right')! });
  assert.is(s.give(70 * NS_PER_S, 'right', hello), 'left client');
  assert.equal(s.bridge.counters().moves!.frozen, []);
  assert.is(s.give(71 * NS_PER_S, 'client', frameBytes(CLIENT, A)), 'right');
});

test('the same address in two VLANs is damped in each alone', () => {
  const trunk = { vlan: { mode: 'trunk' } } as const;
  const s = new Site(
    { vlanAware: true, duplicateMac: { moves: 2 } },
    { left: { options: trunk }, right: { options: trunk } },
  );
  const give = (vid: number, port: string): string => s.give(0, port, frameBytes(A, BROADCAST_MAC, 64, vid));
  give(10, 'left');
  give(10, 'right');
  assert.is(give(10, 'left'), 'drop mac-duplicate');
  give(20, 'left');
  assert.is(give(20, 'right'), 'left');
});

test('a flood of moving addresses is bounded, and the addresses it pushes out are counted anew', () => {
  const moves = new MacMoves({ moves: 2 });
  assert.is(moves.admit(0, 1, 0, 5, 6), MOVE_ADMITTED);
  for (let mac = 2; mac < 3000; mac++) moves.admit(0, mac, 0, 5, 6);
  assert.is(moves.admit(1, 1, 0, 6, 5), MOVE_ADMITTED, 'forgotten');
  assert.is(moves.admit(1, 2999, 0, 6, 5), MOVE_DETECTED);
  for (let mac = 10_000; mac < 13_000; mac++) {
    moves.admit(2, mac, 0, 5, 6);
    moves.admit(2, mac, 0, 6, 5);
  }
  assert.is(moves.counters().frozen.length, 1024);
});

test.run();
