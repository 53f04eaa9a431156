import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import {
  COLUMNS,
  csvOf,
  mergeStores,
  ndjsonOf,
  ResultStore,
  readResult,
  rowsOf,
} from '../../src/results/index.js';
import { sampleResult } from '../report/sample-result.js';
import { suite } from '../suite.js';

const test = suite('results/store');

const root = mkdtempSync(join(tmpdir(), 'longhaul-store-'));
process.on('exit', () => rmSync(root, { recursive: true, force: true }));
let folders = 0;
const folder = (): string => {
  const dir = join(root, `s${folders++}`);
  mkdirSync(dir);
  return dir;
};
const codeOf = (body: () => unknown): string => {
  try {
    body();
  } catch (e) {
    return (e as { code: string }).code;
  }
  return 'none';
};

test('a store lists what runs and sweeps left, and says what it cannot read', () => {
  const dir = folder();
  mkdirSync(join(dir, '2026-01-02T03-04-05'));
  writeFileSync(join(dir, '2026-01-02T03-04-05', 'result.json'), JSON.stringify(sampleResult(3)));
  const store = new ResultStore(dir);
  assert.ok(store.add('3f2a', sampleResult(1, { startedAt: '2026-01-01T00:00:00.000Z' })));
  assert.not.ok(store.add('3f2a', sampleResult(2)), 'a name is given once');
  writeFileSync(join(dir, 'torn.json'), '{"schema": "longhaul/resu');
  writeFileSync(join(dir, '3f2b.failed.json'), '{}');
  const { entries, unreadable } = store.list();
  assert.equal(
    entries.map((e) => [e.id, e.moves, e.pauseNs]),
    [
      ['3f2a', 1, 900_000],
      ['2026-01-02T03-04-05', 3, 1_000_000],
    ],
  );
  assert.equal(
    unreadable.map((u) => u.file),
    ['torn.json'],
  );
});

test('the index is only a shortcut: a changed file is read anew, a torn index costs nothing', () => {
  const dir = folder();
  const store = new ResultStore(dir);
  store.add('one', sampleResult(1));
  assert.is(store.list().entries[0]!.moves, 1);
  const index = JSON.parse(readFileSync(join(dir, 'index.json'), 'utf8'));
  index.files['one.json'].entry.moves = 77;
  writeFileSync(join(dir, 'index.json'), JSON.stringify(index));
  assert.is(store.list().entries[0]!.moves, 77, 'what has not changed is not read again');
  writeFileSync(join(dir, 'one.json'), JSON.stringify(sampleResult(4)));
  assert.is(store.list().entries[0]!.moves, 4);
  writeFileSync(join(dir, 'index.json'), '{"schema":');
  assert.is(store.list().entries[0]!.moves, 4);
});

test('words name results: files, folders, stores, ids and their beginnings', () => {
  const dir = folder();
  const store = new ResultStore(dir);
  for (const id of ['abc1', 'abc2', 'b']) store.add(id, sampleResult(1));
  assert.is(store.find('b')[0]!.id, 'b');
  assert.is(store.find('abc2')[0]!.id, 'abc2');
  assert.is(store.find(join(dir, 'abc1.json'))[0]!.id, 'abc1');
  assert.is(store.find(dir).length, 3);
  assert.is(
    codeOf(() => store.find('abc')),
    'RESULTS_AMBIGUOUS',
  );
  assert.is(
    codeOf(() => store.find('zzz')),
    'RESULTS_NONE',
  );
});

test('an early result lacks later fields and is filled in; one of a later version is refused by its name', () => {
  const dir = folder();
  const early = JSON.parse(JSON.stringify(sampleResult(1)));
  delete early.security;
  delete early.experiment.migration.compress;
  for (const m of early.migrations) {
    for (const field of ['pipeline', 'transport', 'copiesRunning', 'linkBreaks', 'pagesResent'])
      delete m[field];
    for (const c of m.clients) delete c.rttCourse;
  }
  writeFileSync(join(dir, 'early.json'), JSON.stringify(early));
  const { result } = readResult(join(dir, 'early.json'));
  assert.equal(
    [result.security, result.migrations[0]!.pipeline, result.migrations[0]!.clients[0]!.rttCourse],
    [null, null, null],
  );
  writeFileSync(join(dir, 'later.json'), JSON.stringify({ ...early, schema: 'longhaul/result/2' }));
  try {
    readResult(join(dir, 'later.json'));
    assert.unreachable();
  } catch (e) {
    assert.match(
      (e as { line(): string }).line(),
      /^LAB_RESULT_VERSION: .*result\/2.*knows longhaul\/result\/2$/,
    );
  }
});

test('merge: parts of one revision come together once each; other revisions and other experiments are refused', () => {
  const [a, b, c, d, into] = [folder(), folder(), folder(), folder(), folder()];
  const sim = (seed: number, over = {}) =>
    sampleResult(1, { label: 'simulated', traceHash: `${seed}`, ...over });
  new ResultStore(a).add('x', sim(1));
  new ResultStore(a).add('y', sim(2));
  new ResultStore(b).add('y', sim(2));
  new ResultStore(b).add('z', sim(3));
  new ResultStore(c).add('w', sim(4, { revision: '0.2.0' }));
  new ResultStore(d).add('x', sim(9));
  assert.equal(mergeStores(into, [a, b]), { added: 3, already: 1 });
  assert.is(
    codeOf(() => mergeStores(into, [c])),
    'RESULTS_REVISION',
  );
  assert.is(
    codeOf(() => mergeStores(into, [d])),
    'RESULTS_CLASH',
  );
  assert.is(new ResultStore(into).list().entries.length, 3);
});

test('export: one row a move, every cell of its column’s type, CSV as RFC 4180 has it', () => {
  const result = sampleResult(2);
  result.experiment.name = 'with "quotes", and a comma';
  const rows = rowsOf({ id: 'r1', file: 'r1.json', result });
  assert.is(rows.length, 2);
  const kinds = { string: 'string', boolean: 'boolean', int64: 'number', double: 'number' } as const;
  for (const row of rows)
    for (const { name, type } of COLUMNS) {
      const value = row[name];
      if (value === null) continue;
      assert.is(typeof value, kinds[type], name);
      if (type === 'int64') assert.ok(Number.isSafeInteger(value), name);
    }
  const csv = csvOf(rows).split('\r\n');
  assert.is(csv[0], COLUMNS.map((c) => c.name).join(','));
  assert.match(csv[1]!, 'r1,"with ""quotes"", and a comma",2026-01-02');
  assert.is(csv.length, 4);
  const lines = ndjsonOf(rows).trim().split('\n');
  assert.is(JSON.parse(lines[1]!).pauseNs, 1_000_000);
});

test.run();
