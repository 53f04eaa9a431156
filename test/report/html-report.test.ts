import * as assert from 'uvu/assert';
import { htmlReport, svgFile } from '../../src/report/index.js';
import { suite } from '../suite.js';
import { sampleMigration, sampleResult } from './sample-result.js';

const test = suite('report/html-report');

const one = { name: 'one', result: sampleResult(5) };
const two = {
  name: 'two <&">',
  result: sampleResult(5, {
    migrations: Array.from({ length: 5 }, (_, i) => sampleMigration(i, { pauseNs: 450_000 + i * 50_000 })),
  }),
};

test('the same results give the same page, which asks for nothing from outside', () => {
  const { html } = htmlReport([one, two], 'Two runs');
  assert.is(html, htmlReport([one, two], 'Two runs').html);
  assert.not.match(html.replaceAll('http://www.w3.org/2000/svg', ''), /https?:|src=|@import|url\(/);
  assert.not.match(html, 'two <&">');
  assert.match(html, 'two &lt;&amp;&quot;&gt;');
});

test('every plot has its run in its caption, a unit on its axis, and is an SVG file of its own', () => {
  const { plots } = htmlReport([one, two], 'Two runs');
  assert.ok(plots.length >= 12, `${plots.length} plots`);
  assert.is(new Set(plots.map((p) => p.id)).size, plots.length);
  for (const plot of plots) {
    if (plot.id.startsWith('run-')) assert.match(plot.caption, /^Run (one|two <&">): seed 7, measured/);
    assert.match(plot.svg, /, (ns|µs|ms|s)\b| (ns|µs|ms|s)<|pages of 4096 bytes/, plot.id);
    assert.not.match(plot.svg, /NaN|Infinity|undefined/, plot.id);
    assert.match(svgFile(plot), /^<\?xml .*\n<svg [^>]*><style>/);
  }
});

test('ratios stand with their intervals, and what makes a comparison unfair with both', () => {
  const { html } = htmlReport([one, two], 'Two runs');
  assert.match(html, '× 0.50');
  const other = structuredClone(two);
  other.result.revision = '0.2.0';
  other.result.machine.kernel = '9.9';
  const unfair = htmlReport([one, other], 'Two runs').html;
  assert.match(unfair, 'Made by different revisions');
  assert.match(unfair, 'Measured on 2 machines');
  assert.not.match(html, 'class="caution"');
});

test('a move that stayed, a run without moves, an unlimited rate: a page all the same', () => {
  const stayed = sampleResult(1, {
    migrations: [
      sampleMigration(0, {
        outcome: 'stayed',
        guestAt: 'a',
        pauseNs: null,
        pauseParts: null,
        rounds: [],
        clients: [],
      }),
    ],
  });
  const none = sampleResult(0, { lateness: null, rtt: null, fabric: null });
  for (const span of none.experiment.fiber.spans) span.aToB.rateBps = null;
  for (const results of [
    [{ name: 'stayed', result: stayed }],
    [
      { name: 'none', result: none },
      { name: 'one', result: one.result },
    ],
  ]) {
    const { html } = htmlReport(results, 'x');
    assert.not.match(html, /NaN|Infinity|undefined/);
  }
});

test.run();
