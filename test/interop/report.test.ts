/** The report in a real browser: nothing asked of any network, nothing on the console, everything within the page. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { experimentFrom } from '../../src/lab/config/experiment-file.js';
import { runExperiment } from '../../src/lab/run.js';
import { htmlReport, svgFile } from '../../src/report/index.js';
import { sampleResult } from '../report/sample-result.js';
import { suite } from '../suite.js';
import { NO_CHROMIUM, openChromium } from './chromium.js';

const test = suite('interop/report');

/** Runs in the page: texts that leave the figure they belong to. */
const TEXTS_OUTSIDE = `[...document.querySelectorAll('svg.plot')].flatMap((svg) => {
  const box = svg.getBoundingClientRect();
  return [...svg.querySelectorAll('text')]
    .filter((t) => {
      const r = t.getBoundingClientRect();
      return r.left < box.left - 1 || r.right > box.right + 1 || r.bottom > box.bottom + 1;
    })
    .map((t) => t.textContent);
})`;

test.when(
  NO_CHROMIUM,
  'opens with no request to any network and no console error, in light, dark and print',
  async () => {
    const dir = mkdtempSync(join(tmpdir(), 'longhaul-report-'));
    const browser = await openChromium();
    try {
      const results = await Promise.all(
        (['precopy', 'postcopy', 'hybrid'] as const).map(async (mode) => ({
          name: mode,
          result: await runExperiment(
            experimentFrom({ attach: 'sim', guest: { memory: '16MiB' }, migration: { mode, repeat: 3 } }),
            { onEvent: () => {}, signal: new AbortController().signal },
          ),
        })),
      );
      const { html, plots } = htmlReport(
        [...results, { name: 'measured', result: sampleResult(20) }],
        'Test',
      );
      const file = join(dir, 'report.html');
      writeFileSync(file, html);
      for (const [colorScheme, media] of [
        ['light', 'screen'],
        ['dark', 'screen'],
        ['light', 'print'],
      ] as const) {
        const page = await browser.newPage({ colorScheme, viewport: { width: 1040, height: 900 } });
        await page.emulateMedia({ media, colorScheme });
        const troubles: string[] = [];
        page.on('console', (m) => troubles.push(`${m.type()}: ${m.text()}`));
        page.on('pageerror', (e) => troubles.push(String(e)));
        page.on('request', (r) => {
          if (!/^(file|data|blob):/.test(r.url())) troubles.push(`asks ${r.url()}`);
        });
        await page.goto(`file://${file}`);
        assert.equal(troubles, [], `${colorScheme} ${media}`);
        assert.is(await page.locator('figure svg.plot').count(), plots.length);
        const outside = await page.evaluate(TEXTS_OUTSIDE);
        assert.equal(outside, [], 'text that leaves its plot');
        assert.ok((await page.screenshot({ fullPage: true })).length > 50_000);
        await page.close();
      }
      const page = await browser.newPage();
      const saved = page.waitForEvent('download');
      await page.goto(`file://${file}`);
      await page.locator('button[data-plot]').first().click();
      assert.match((await saved).suggestedFilename(), /\.svg$/);
      for (const plot of plots.slice(0, 3)) {
        writeFileSync(join(dir, `${plot.id}.svg`), svgFile(plot));
        await page.goto(`file://${join(dir, `${plot.id}.svg`)}`);
        assert.is(await page.evaluate('document.documentElement.tagName'), 'svg');
        assert.is(await page.locator('parsererror').count(), 0);
      }
    } finally {
      await browser.close();
      rmSync(dir, { recursive: true, force: true });
    }
  },
);

test.run();
