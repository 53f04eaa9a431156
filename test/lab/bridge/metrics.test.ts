import { request } from 'node:http';
import * as assert from 'uvu/assert';
import { isLonghaulError } from '../../../src/core/index.js';
import { MetricsServer, metricsText } from '../../../src/lab/bridge/metrics.js';
import { suite } from '../../suite.js';
import { sampleStatus } from './sample-status.js';

const test = suite('lab/bridge/metrics');

interface Metric {
  readonly type: string;
  readonly help: string;
  /** `name{label="value"}` → value */
  readonly samples: Map<string, number>;
}

const SAMPLE = /^([a-zA-Z_:][\w:]*)(\{(?:[a-zA-Z_]\w*="[^"\\\n]*",?)*\})? (\S+)$/;

/** A reader of the text format as its specification has it; any other line is an error. */
function parse(text: string): Map<string, Metric> {
  const metrics = new Map<string, Metric>();
  let current = '';
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const help = /^# HELP (\S+) (.+)$/.exec(line);
    const type = /^# TYPE (\S+) (counter|gauge|summary)$/.exec(line);
    if (help) {
      current = help[1]!;
      assert.not.ok(metrics.has(current), `${current} stands twice`);
      metrics.set(current, { type: '', help: help[2]!, samples: new Map() });
    } else if (type) {
      assert.is(type[1], current);
      metrics.set(current, { ...metrics.get(current)!, type: type[2]! });
    } else {
      const sample = SAMPLE.exec(line);
      assert.ok(sample, `not a sample: ${line}`);
      assert.is(sample![1]!.replace(/_(sum|count)$/, ''), current);
      const value = sample![3] === '+Inf' ? Number.POSITIVE_INFINITY : Number(sample![3]);
      assert.not.ok(Number.isNaN(value), line);
      const key = `${sample![1]}${sample![2] ?? ''}`;
      assert.not.ok(metrics.get(current)!.samples.has(key), `${key} stands twice`);
      metrics.get(current)!.samples.set(key, value);
    }
  }
  return metrics;
}

const FIGURES = { cpuSeconds: 1.5, residentBytes: 64e6 };

test('the text parses, and every figure is that of the status', async () => {
  const metrics = parse(await metricsText(sampleStatus(), FIGURES));
  const value = (sample: string): number | undefined =>
    metrics.get(/^[\w:]+/.exec(sample)![0])?.samples.get(sample);
  assert.is(value('longhaul_port_frames_total{port="left",direction="in"}'), 10);
  assert.is(value('longhaul_port_bytes_total{port="left",direction="out"}'), 900);
  assert.is(value('longhaul_port_up{port="left",site="a"}'), 1);
  assert.is(value('longhaul_port_up{port="right",site="b"}'), 0);
  assert.is(value('longhaul_drops_total{where="port right",reason="busy"}'), 2);
  assert.is(value('longhaul_drops_total{where="bridge a",reason="runt"}'), 1);
  assert.is(value('longhaul_drops_total{where="fiber a-b",reason="loss"}'), 3);
  assert.is(value('longhaul_fiber_queue_bytes{direction="a-b"}'), 1538);
  assert.is(value('longhaul_fiber_in_flight_frames{direction="a-b"}'), 2);
  assert.is(value('longhaul_fiber_one_way_seconds{direction="b-a"}'), 400e-6);
  assert.is(value('longhaul_fiber_rate_bits_per_second{direction="b-a"}'), Number.POSITIVE_INFINITY);
  assert.is(value('longhaul_fiber_link_up{direction="a-b"}'), 1);
  assert.is(value('longhaul_mac_table_entries{site="a"}'), 2);
  assert.is(value('process_cpu_seconds_total'), 1.5);
  const late = metrics.get('longhaul_release_lateness_seconds')!;
  assert.is(late.type, 'summary');
  assert.equal(
    [...late.samples],
    [
      ['longhaul_release_lateness_seconds{quantile="0.5"}', 1e-6],
      ['longhaul_release_lateness_seconds{quantile="0.99"}', 9e-6],
      ['longhaul_release_lateness_seconds{quantile="0.999"}', 12e-6],
      ['longhaul_release_lateness_seconds{quantile="1"}', 20e-6],
      ['longhaul_release_lateness_seconds_sum', 100e-6],
      ['longhaul_release_lateness_seconds_count', 50],
    ],
  );
});

test('names follow the conventions: base units, counters end in _total, help for each', async () => {
  for (const [name, { type, help }] of parse(await metricsText(sampleStatus(), FIGURES))) {
    assert.match(name, /^(longhaul|process)_[a-z_]+$/);
    assert.is(name.endsWith('_total'), type === 'counter', name);
    assert.match(help, /\.$/);
    assert.not.match(name, /_(ms|us|ns|kb|percent)$/);
  }
});

test('two scrapes of one status are the same: nothing is kept in between', async () => {
  assert.is(await metricsText(sampleStatus(), FIGURES), await metricsText(sampleStatus(), FIGURES));
});

interface Answer {
  readonly status: number;
  readonly type: string | undefined;
  readonly body: string;
}

function ask(url: string, method = 'GET'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    request(url, { method }, (response) => {
      let body = '';
      response.on('data', (d) => {
        body += d;
      });
      response.on('end', () =>
        resolve({ status: response.statusCode!, type: response.headers['content-type'], body }),
      );
    })
      .on('error', reject)
      .end();
  });
}

test('the server gives /metrics and nothing else', async () => {
  let answers = true;
  const server = await MetricsServer.listen({ host: '127.0.0.1', port: 0 }, () =>
    answers ? metricsText(sampleStatus(), FIGURES) : Promise.reject(new Error('the fabric has ended')),
  );
  try {
    const good = await ask(server.url);
    assert.is(good.status, 200);
    assert.match(good.type!, 'text/plain; version=0.0.4');
    assert.ok(parse(good.body).size > 20);
    assert.is((await ask(server.url.replace('/metrics', '/'))).status, 404);
    assert.is((await ask(server.url, 'POST')).status, 405);
    answers = false;
    assert.is((await ask(server.url)).status, 503);
    const taken = await MetricsServer.listen(
      { host: '127.0.0.1', port: Number(new URL(server.url).port) },
      async () => '',
    ).catch((e: unknown) => e);
    assert.ok(isLonghaulError(taken, 'LAB_METRICS_ADDRESS'));
    assert.match((taken as Error).message, 'cannot be had (EADDRINUSE)');
  } finally {
    await server.close();
  }
});

test.run();
