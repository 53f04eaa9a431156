import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { suite } from '../suite.js';

const test = suite('cli/main');

const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
/** A directory of its own, so that a run that should have been refused leaves no results in the project. */
const cwd = mkdtempSync(join(tmpdir(), 'longhaul-main-'));
process.on('exit', () => rmSync(cwd, { recursive: true, force: true }));

function longhaul(...argv: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [MAIN, ...argv], { encoding: 'utf8', cwd, timeout: 20_000 });
}

test('bad input: one line on stderr, nothing on stdout, exit 2', () => {
  const bad: [string[], string][] = [
    [['run', '--distance', '80'], '--distance "80" is not a distance'],
    [['run', '--loss', '1.5'], '--loss 1.5 is outside 0..1'],
    [['run', '--rate', '2Tbit'], '--rate 2Tbit is outside 1kbit..1Tbit or unlimited'],
    [['run', '--memory', '8GiB'], '--memory 8GiB is outside 1MiB..4GiB'],
    [['run', '--dirty', 'unifrom'], 'did you mean uniform?'],
    [['run', '--profile', 'metro-80'], '--profile "metro-80" is no profile'],
    [['run', '--streams', '0'], '--streams "0" is not a whole number in 1..16'],
    [['run', '--attach', 'vpn'], '--attach "vpn" is not one of auto, netns, loopback'],
    [['run', '--distance', '1km', '--one-way', '1ms'], 'keep one of distance and one-way'],
    [['run', 'nowhere.yaml'], 'EXPERIMENT.yaml nowhere.yaml cannot be read (ENOENT)'],
    [['run', '--out', '/proc/none'], '--out /proc/none cannot be written'],
    [['run', '--distence', '1km'], 'did you mean --distance?'],
  ];
  for (const [argv, text] of bad) {
    const { status, stdout, stderr } = longhaul(...argv);
    assert.is(status, 2, argv.join(' '));
    assert.is(stdout, '');
    assert.match(stderr, /^longhaul: [A-Z_]+: [^\n]+; [^\n]+\n$/);
    assert.match(stderr, text);
  }
});

test('help, version and profiles', () => {
  assert.match(longhaul('--help').stdout, 'Examples:');
  assert.match(longhaul('--version').stdout, /^\d+\.\d+\.\d+\n$/);
  const profiles = longhaul('profiles', '--json');
  assert.is(profiles.status, 0);
  assert.ok(JSON.parse(profiles.stdout).length > 3);
});

test.run();
