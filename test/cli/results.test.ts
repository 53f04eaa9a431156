import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { report } from '../../src/cli/report.js';
import {
  resultsCompare,
  resultsExport,
  resultsList,
  resultsMerge,
  resultsShow,
} from '../../src/cli/results.js';
import { ResultStore } from '../../src/results/index.js';
import { sampleMigration, sampleResult } from '../report/sample-result.js';
import { suite } from '../suite.js';

const test = suite('cli/results');

const root = mkdtempSync(join(tmpdir(), 'longhaul-results-'));
process.on('exit', () => rmSync(root, { recursive: true, force: true }));
const store = join(root, 'store');
const slow = sampleResult(6, {
  migrations: Array.from({ length: 6 }, (_, i) => sampleMigration(i, { pauseNs: 3_000_000 })),
});
new ResultStore(store).add('fast', sampleResult(6));
new ResultStore(store).add('slow', slow);

function heard() {
  const said = { out: '', err: '' };
  return {
    said,
    context: {
      out: (text: string) => {
        said.out += text;
      },
      err: (text: string) => {
        said.err += text;
      },
      colour: false,
    },
  };
}

test('list, as a table and as JSON; an empty store says what fills it', () => {
  const { said, context } = heard();
  resultsList({ store }, context);
  assert.match(said.out, /^result +attach +what +mode .*pause p50/);
  assert.match(said.out, /\nfast +netns +metro-80km +hybrid .*6\/6/);
  const json = heard();
  resultsList({ store, json: true }, json.context);
  assert.is(JSON.parse(json.said.out).length, 2);
  const none = heard();
  resultsList({ store: join(root, 'none') }, none.context);
  assert.match(none.said.out, 'holds no result; longhaul run writes one');
});

test('compare: ratios with intervals; one result alone is refused', () => {
  const { said, context } = heard();
  resultsCompare(['fast', 'slow'], { store }, context);
  assert.match(said.out, /pause \(lower is better\)\n.*\n +fast +1\.10 ms.*\n +slow +3\.00 ms.*× 2\.73/);
  for (const line of said.out.split('\n')) assert.ok(line.length <= 100, line);
  const json = heard();
  resultsCompare(['fast', 'slow'], { store, json: true }, json.context);
  const pause = JSON.parse(json.said.out).metrics[0];
  assert.equal([pause.key, pause.rows[1].n], ['pauseNs', 6]);
  assert.throws(() => resultsCompare(['fast'], { store }, context), /nothing to be compared with/);
});

test('show, export and merge', () => {
  const shown = heard();
  resultsShow('fast', { store }, shown.context);
  assert.match(shown.said.out, /^metro-80km · netns · seed 7/);
  const columns = heard();
  resultsExport([], { store, format: 'csv', columns: true }, columns.context);
  assert.match(columns.said.out, /\npauseNs double\n/);
  const rows = heard();
  resultsExport([], { store, format: 'ndjson' }, rows.context);
  assert.is(rows.said.out.trim().split('\n').length, 12);
  const merged = heard();
  resultsMerge([store], join(root, 'into'), { store, json: true }, merged.context);
  assert.equal(JSON.parse(merged.said.out), { added: 2, already: 0 });
});

test('report writes the page, and every plot as a file', () => {
  const { said, context } = heard();
  const out = join(root, 'r.html');
  report(['fast', 'slow'], { store, out, svg: join(root, 'svg') }, context);
  assert.match(readFileSync(out, 'utf8'), /^<!doctype html>/);
  const files = readdirSync(join(root, 'svg'));
  assert.ok(files.includes('compare-pauseNs.svg') && files.includes('run-2-timeline.svg'), files.join());
  assert.match(said.err, `r.html: 2 results, ${files.length} plots`);
  assert.throws(
    () => report(['fast'], { store, out: join(root, 'no', 'r.html') }, context),
    /cannot be written \(ENOENT\)/,
  );
  assert.not.ok(existsSync(join(root, 'no')));
});

test.run();
