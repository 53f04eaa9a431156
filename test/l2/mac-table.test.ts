import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { ConfigError, NS_PER_S } from '../../src/core/index.js';
import { LEARN_FULL, LEARN_KNOWN, LEARN_MOVED, LEARN_NEW, MacTable } from '../../src/l2/index.js';
import { suite } from '../suite.js';

const test = suite('l2/mac-table');

test('an address is known on the port it was last heard on', () => {
  const table = new MacTable();
  assert.is(table.lookup(0, 0x525400000001), -1);
  assert.is(table.learn(0, 0x525400000001, 3), LEARN_NEW);
  assert.is(table.learn(1, 0x525400000001, 3), LEARN_KNOWN);
  assert.is(table.lookup(2, 0x525400000001), 3);
  assert.is(table.learn(3, 0x525400000001, 0), LEARN_MOVED);
  assert.is(table.lookup(3, 0x525400000001), 0);
  assert.is(table.lookupAt(3, Uint8Array.of(0xff, 0x52, 0x54, 0, 0, 0, 1), 1), 0, 'read where it lies');
  assert.equal(table.entries(4), [{ vid: 0, mac: 0x525400000001, port: 0, heardNs: 3 }]);
  assert.equal(table.counters(), { size: 1, learned: 1, moved: 1, aged: 0, forgotten: 0, refused: 0 });
});

test('addresses that differ in one bit are different, at either end', () => {
  const table = new MacTable();
  table.learn(0, 0xfeffffffffff, 1);
  table.learn(0, 0x7effffffffff, 2);
  table.learn(0, 0xfefffffffffe, 3);
  assert.equal(
    table.entries(0).map((e) => [e.mac, e.port]),
    [
      [0x7effffffffff, 2],
      [0xfefffffffffe, 3],
      [0xfeffffffffff, 1],
    ],
  );
});

test('one address in two VLANs is two entries, at either end of both ranges', () => {
  const table = new MacTable();
  for (const vid of [1, 4094]) {
    for (const mac of [0xfeffffffffff, 0x000000000001]) {
      assert.is(table.learn(0, mac, vid % 7, vid), LEARN_NEW);
      assert.is(table.learn(0, mac, vid % 7, vid), LEARN_KNOWN);
      assert.is(table.lookup(0, mac), -1);
    }
  }
  assert.equal(
    table.entries(0).map((e) => [e.vid, e.mac, e.port]),
    [
      [1, 1, 1],
      [1, 0xfeffffffffff, 1],
      [4094, 1, 6],
      [4094, 0xfeffffffffff, 6],
    ],
  );
  assert.is(table.lookupAt(0, Uint8Array.of(0, 0, 0, 0, 0, 1), 0, 4094), 6);
});

test('an address ages out 300 s after it was last heard, not after it was learned', () => {
  const table = new MacTable();
  table.learn(0, 7, 1);
  table.learn(200 * NS_PER_S, 7, 1);
  assert.is(table.lookup(500 * NS_PER_S, 7), 1);
  assert.is(table.lookup(500 * NS_PER_S + 1, 7), -1);
  assert.is(table.learn(501 * NS_PER_S, 7, 2), LEARN_NEW, 'an aged address that returns has not moved');
  assert.is(table.counters().aged, 1);
  assert.is(table.counters().moved, 0);
});

test('a full table learns nothing new, says so, and keeps what it knows', () => {
  const table = new MacTable({ capacity: 4 });
  for (let mac = 1; mac <= 4; mac++) assert.is(table.learn(0, mac, mac), LEARN_NEW);
  assert.is(table.learn(1, 5, 5), LEARN_FULL);
  assert.is(table.learn(1, 2, 9), LEARN_MOVED);
  assert.is(table.lookup(1, 5), -1);
  assert.is(table.lookup(1, 4), 4);
  assert.is(table.counters().refused, 1);
  assert.is(table.counters().size, 4);
});

test('a full table of aged addresses makes room', () => {
  const table = new MacTable({ capacity: 1000, agingNs: NS_PER_S });
  for (let mac = 0; mac < 1000; mac++) table.learn(0, mac, 1);
  let learned = 0;
  for (let mac = 5000; mac < 6000; mac++) {
    if (table.learn(2 * NS_PER_S, mac, 2) === LEARN_NEW) learned++;
  }
  assert.ok(learned > 980, `${learned} of 1000 found room`);
  const c = table.counters();
  assert.is(c.learned, c.size + c.aged + c.forgotten);
});

test('addresses of a port that goes are forgotten, and only those', () => {
  const table = new MacTable({ capacity: 512 });
  for (let mac = 0; mac < 500; mac++) table.learn(0, mac * 0x1_0000_0001, mac % 3);
  table.forgetPort(1);
  for (let mac = 0; mac < 500; mac++) {
    assert.is(table.lookup(0, mac * 0x1_0000_0001), mac % 3 === 1 ? -1 : mac % 3);
  }
  assert.is(table.counters().forgotten, 167);
});

test('behaves as a Map with ages, through learning, aging, forgetting and wrap-around', () => {
  const anyOp = fc.record({
    mac: fc.nat(40),
    port: fc.nat(3),
    stepNs: fc.nat(400_000),
    forget: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(anyOp, { maxLength: 300 }), (ops) => {
      const agingNs = 10_000_000;
      const table = new MacTable({ capacity: 64, agingNs });
      const model = new Map<number, { port: number; heardNs: number }>();
      let now = 0;
      ops.forEach(({ mac, port, stepNs, forget }, i) => {
        now += stepNs;
        const address = mac * 0x0101_0000_0101;
        if (forget && i % 16 === 0) {
          table.forgetPort(port);
          for (const [m, e] of model) if (e.port === port) model.delete(m);
        } else {
          table.learn(now, address, port);
          model.set(address, { port, heardNs: now });
        }
        for (let m = 0; m <= 40; m++) {
          const e = model.get(m * 0x0101_0000_0101);
          const expected = e && now - e.heardNs <= agingNs ? e.port : -1;
          assert.is(table.lookup(now, m * 0x0101_0000_0101), expected);
        }
        const c = table.counters();
        assert.is(c.learned, c.size + c.aged + c.forgotten);
        assert.ok(table.entries(now).length <= c.size);
      });
    }),
    { numRuns: 40 },
  );
});

test('a bad size or age is refused where it is configured', () => {
  for (const options of [
    { capacity: 0 },
    { capacity: 1.5 },
    { capacity: 2 ** 21 },
    { agingNs: 0 },
    { agingNs: Number.NaN },
  ]) {
    try {
      new MacTable(options);
      assert.unreachable(JSON.stringify(options));
    } catch (e) {
      assert.instance(e, ConfigError);
      assert.is((e as ConfigError).code, 'L2_MAC_TABLE_RANGE');
    }
  }
});

test.run();
