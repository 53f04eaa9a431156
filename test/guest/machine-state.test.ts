/** The packed state of a machine: zeros do not travel, everything else does, and only to a machine of its shape. */
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { checkMachineState, packMachineState, unpackMachineState } from '../../src/guest/index.js';
import { suite } from '../suite.js';

const SHAPE = 'v86-1 4096KiB';
const test = suite('guest/machine-state');

function packed(tree: unknown): Uint8Array {
  const room = new Uint8Array(2 ** 20);
  return room.slice(0, packMachineState(SHAPE, tree, room));
}

function unpacked(bytes: Uint8Array): unknown {
  const result = unpackMachineState(bytes, SHAPE);
  assert.ok(result.ok);
  return result.tree;
}

function refusal(bytes: Uint8Array, shape = SHAPE): string {
  const result = checkMachineState(bytes, shape);
  assert.is(unpackMachineState(bytes, shape).ok, result.ok, 'a state that is checked is one that is taken');
  return result.ok ? 'ok' : `${result.code}: ${result.text}`;
}

/** Bytes with long runs of zeros and of other things. */
const BYTES = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.integer({ min: 0, max: 2000 }).map((n) => new Uint8Array(n)),
    ),
    { maxLength: 6 },
  )
  .map((pieces) => new Uint8Array(Buffer.concat(pieces)));

test('what was packed is unpacked, whatever it is', () => {
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { depthSize: 'small' },
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      BYTES,
      fc.array(fc.integer()).map((v) => Int32Array.from(v)),
      fc.array(fc.double({ noNaN: true })).map((v) => Float64Array.from(v)),
      fc.array(tie('tree'), { maxLength: 5 }),
      fc.array(fc.tuple(fc.integer(), tie('tree')), { maxLength: 3 }).map((entries) => new Map(entries)),
    ),
  }));
  fc.assert(fc.property(tree, (value) => assert.equal(unpacked(packed(value)), value)));
});

test('objects hand out their state, and a view of a larger memory travels as itself alone', () => {
  const memory = new Uint8Array(100).fill(9);
  const device = { get_state: () => [1, memory.subarray(10, 14), { get_state: () => [2] }] };
  assert.equal(unpacked(packed([device])), [[1, Uint8Array.of(9, 9, 9, 9), [2]]]);
});

test('two megabytes of a dark screen cost next to nothing', () => {
  const screen = new Uint8Array(2 ** 21);
  screen.fill(7, 1000, 9000);
  screen[screen.length - 1] = 1;
  const bytes = packed([screen]);
  assert.ok(bytes.length < 10_000, `${bytes.length}`);
  assert.equal(unpacked(bytes), [screen]);
});

test('a state that does not fit is not packed', () => {
  assert.is(packMachineState(SHAPE, [new Uint8Array(5000).fill(1)], new Uint8Array(5000)), -1);
  assert.is(packMachineState(SHAPE, [1], new Uint8Array(20)), -1);
});

test('states of other machines, other versions and damaged ones are refused with a reason', () => {
  const good = packed([new Uint8Array(5000).fill(3, 1000, 2000)]);
  assert.is(refusal(good), 'ok');
  assert.is(
    refusal(good, 'v86-2 4096KiB'),
    'GUEST_STATE_SHAPE: the state is of v86-1 4096KiB; the machine here is v86-2 4096KiB',
  );
  assert.match(refusal(good.subarray(0, 8)), 'cut off');
  assert.match(refusal(good.subarray(0, good.length - 1)), 'does not fit');
  assert.match(refusal(Buffer.concat([good, Buffer.alloc(1)])), 'does not fit');
  const other = good.slice();
  other[4] = 9;
  assert.match(refusal(other), 'version 9');
  const text = Buffer.from(good).toString('latin1');
  const altered = (from: string, to: string): string =>
    refusal(Buffer.from(text.replace(from, to.padEnd(from.length)), 'latin1'));
  assert.match(altered('[{"a":', '[{"a"}'), 'not JSON');
  assert.match(altered('Uint8Array', 'Uint9Array'), 'no known kind');
  assert.match(altered('{"a":"Uint8Array"', '{"b":"Uint8Array"'), 'no known kind');
  assert.match(altered('5000', '9e99'), 'no known kind');
  assert.match(altered('5000', '1e3 '), 'does not fit');
});

test('random bytes never throw', () => {
  const begun = packed([Uint8Array.of(1, 2, 3), new Map([[1, 2]])]);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(begun.length), (bytes, from) => {
      const all = begun.slice();
      all.set(bytes.subarray(0, begun.length - from), from);
      refusal(all);
      unpackMachineState(bytes, SHAPE);
    }),
  );
});

test.run();
