/** Matching against a naive oracle: for each packet of B, of all of A that are alike and free, the first. */
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import type { ReadPacket } from '../../src/capture/index.js';
import { PRINT_PARTS } from '../../src/dissect/frame-print.js';
import { COPY, match, NONE } from '../../src/dissect/match.js';
import { PARTS, Prints } from '../../src/dissect/prints.js';
import { suite } from '../suite.js';

const test = suite('dissect/match');

interface Packet {
  readonly mac: number;
  readonly head: number;
  readonly payload: number;
  readonly packetId: number | null;
}

const VALUES = ['mac', 'head', 'payload'] as const;

/** Prints whose parts are these numbers, whatever the frames are. */
function prints(packets: readonly Packet[]): Prints {
  const made = new Prints();
  for (const [i, packet] of packets.entries()) {
    made.add(i + 1, { atNs: i, packetId: packet.packetId } as ReadPacket, new Uint8Array(0));
    for (const part of VALUES) made.parts[i * PARTS + PRINT_PARTS.indexOf(part)] = packet[part];
  }
  return made;
}

function oracle(a: readonly Packet[], b: readonly Packet[]): number[] {
  const toA = b.map(() => NONE);
  const free = a.map(() => true);
  const pass = (alike: (x: Packet, y: Packet) => boolean, copies: boolean): void => {
    for (const [j, y] of b.entries()) {
      if (toA[j]! >= 0) continue;
      const i = a.findIndex((x, at) => free[at] && alike(x, y));
      if (i >= 0) free[i] = false;
      if (i >= 0) toA[j] = i;
      else if (copies && a.some((x) => alike(x, y))) toA[j] = COPY;
    }
  };
  const haveIds = [...a, ...b].every(({ packetId }) => packetId !== null);
  if (haveIds && b.some((y) => a.some((x) => x.packetId === y.packetId))) {
    pass((x, y) => x.packetId === y.packetId, true);
    return toA;
  }
  pass((x, y) => VALUES.every((part) => x[part] === y[part]), true);
  pass((x, y) => x.head === y.head && x.payload === y.payload, false);
  pass((x, y) => x.head === y.head, false);
  return toA;
}

const few = fc.integer({ min: 0, max: 2 });
const captures = (packetId: fc.Arbitrary<number | null>): fc.Arbitrary<Packet[]> =>
  fc.array(fc.record({ mac: few, head: few, payload: few, packetId }), { maxLength: 14 });

for (const [name, packetId] of [
  ['by content', fc.constant(null)],
  ['by packet id', fc.integer({ min: 1, max: 8 })],
  ['where some have ids', fc.option(fc.integer({ min: 1, max: 4 }))],
] as const) {
  test(`${name}: as the oracle has it`, () => {
    fc.assert(
      fc.property(captures(packetId), captures(packetId), (a, b) => {
        assert.equal([...match(prints(a), prints(b)).toA], oracle(a, b));
      }),
      { numRuns: 500 },
    );
  });
}

test('as many as one likes that are all alike are matched in their order', () => {
  const made = new Prints();
  const packet = { atNs: 0, packetId: null } as ReadPacket;
  for (let i = 0; i < 100_000; i++) made.add(i + 1, packet, new Uint8Array(0));
  const { toA } = match(made, made);
  assert.ok(toA.every((of, i) => of === i));
});

test.run();
