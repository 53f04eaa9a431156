/** A whole search, its real hosts replaced by simulated ones so that it needs neither time nor privileges; and its page. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { parse } from 'yaml';
import { experimentFrom } from '../../src/lab/config/experiment-file.js';
import { ResultStore } from '../../src/results/index.js';
import {
  parseObjective,
  Trail,
  type TuneStory,
  tune,
  tunedYaml,
  tuneHtml,
  tuneJson,
  tuneText,
} from '../../src/tune/index.js';
import { suite } from '../suite.js';

const test = suite('interop/tune');

test('a search goes through all its stages, and goes on where it was without doing anything again', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'longhaul-tune-'));
  try {
    const typed = {
      fiber: { profile: 'metro-vmotion-10ms' },
      guest: { memory: '2MiB', dirty: 'uniform:5MB/s' },
    };
    const base = experimentFrom({ ...typed, attach: 'sim', clients: [{ site: 'a' }] });
    const run = (said: string[]) =>
      tune({
        base,
        objective: parseObjective('pause'),
        budgetMs: 1000,
        costs: undefined,
        trail: new Trail(dir, 'test'),
        store: new ResultStore(join(dir, 'cells')),
        signal: new AbortController().signal,
        say: (text) => said.push(text),
      });
    const first: string[] = [];
    const end = await run(first);
    assert.ok(
      end.coarse.length >= 12 && end.screened.length >= 8,
      `${end.coarse.length} ${end.screened.length}`,
    );
    assert.ok(
      end.prediction.rows.length >= 5 && end.prediction.rankCorrelation !== null,
      'the order was judged',
    );
    process.stdout.write(`  rank correlation ${end.prediction.rankCorrelation}; ${end.verdict.text}\n`);
    assert.is(end.verified[0]!.name, 'default');
    const evaluations = new Trail(dir, 'test').evaluations;
    const again: string[] = [];
    assert.equal((await run(again)).verdict, end.verdict);
    assert.is(new Trail(dir, 'test').evaluations.length, evaluations.length);
    const story: TuneStory = {
      end,
      base,
      typed,
      objective: 'pause',
      evaluations,
      revision: '0.1.0',
      machine: 'a machine',
      costs: 'built in',
      command: 'npx longhaul tune',
    };
    const { html, plots } = tuneHtml(story);
    assert.not.match(html, /NaN|Infinity|undefined/);
    assert.equal(
      plots.map((p) => p.id),
      ['tune-verified', 'tune-pareto'],
    );
    experimentFrom(parse(tunedYaml(story)));
    assert.is(JSON.parse(JSON.stringify(tuneJson(story))).schema, 'longhaul/tune/1');
    for (const line of tuneText(story, false).split('\n').slice(0, 2)) assert.ok(line.length <= 100, line);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test.run();
