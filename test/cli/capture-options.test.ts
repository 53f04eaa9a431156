import { Command } from 'commander';
import * as assert from 'uvu/assert';
import { addCaptureOption, captureOf, recordingOf } from '../../src/cli/capture-options.js';
import { isLonghaulError } from '../../src/core/index.js';
import { suite } from '../suite.js';

const test = suite('cli/capture-options');

/** What `--capture` and its companions become. */
function typed(...words: string[]): ReturnType<typeof captureOf> {
  const command = addCaptureOption(new Command())
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  return captureOf(command.parse(words, { from: 'user' }).opts());
}

test('a file alone, and everything that may stand beside it', () => {
  assert.equal(typed('--capture', 'x.pcapng'), { path: 'x.pcapng' });
  assert.equal(
    typed(
      ...['--capture', 'x', '--capture-filter', 'proto arp', '--capture-wire', '--capture-format', 'pcap-ns'],
      ...['--capture-file-size', '1MiB', '--capture-file-time', '10s', '--capture-files', '3'],
    ),
    {
      path: 'x',
      filter: 'proto arp',
      wire: true,
      format: 'pcap-ns',
      ring: { maxBytes: 2 ** 20, maxNs: 10e9, files: 3 },
    },
  );
  assert.equal(typed('--capture', 'x', '--capture-snap', '128B'), { path: 'x', snapBytes: 128 });
});

test('nothing typed records nothing; a companion alone is a mistake that is named', () => {
  assert.is(typed(), undefined);
  assert.throws(
    () => typed('--capture-wire'),
    (e: unknown) => isLonghaulError(e, 'CLI_USAGE') && /--capture FILE/.test(e.hint ?? ''),
  );
});

test('values out of range are refused with the option’s name', () => {
  for (const wrong of [{ snap: '10B' }, { fileSize: '1KiB' }, { fileTime: 'soon' }]) {
    assert.throws(
      () => recordingOf('x', wrong),
      (e: unknown) => isLonghaulError(e) && e.code.startsWith('CORE_UNIT_'),
    );
  }
});

test.run();
