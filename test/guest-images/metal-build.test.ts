/** The committed image is what its sources make: rebuilt with the compiler it was built with, it has the same bytes. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { suite } from '../suite.js';

const FOLDER = fileURLToPath(new URL('../../../guest-images/metal/', import.meta.url));
/** Debian 12's. Another compiler makes other bytes, which says nothing of the sources. */
const COMPILER = '(Debian 12.2.0-14+deb12u1) 12.2.0';

const test = suite('guest-images/metal-build');

function lack(): string | null {
  const asked = spawnSync('gcc', ['--version'], { encoding: 'utf8' });
  if (asked.status !== 0) return 'gcc is not installed';
  const first = asked.stdout.split('\n')[0] ?? '';
  if (!first.endsWith(COMPILER)) return `the image was built by gcc ${COMPILER}; here is ${first}`;
  const tried = spawnSync('gcc', ['-m32', '-nostdlib', '-r', '-x', 'c', '-', '-o', '/dev/null'], {
    input: '',
  });
  return tried.status === 0 ? null : 'this gcc does not build for i386';
}

test.when(lack(), 'rebuilding gives the committed image, byte for byte', () => {
  const dir = mkdtempSync(join(tmpdir(), 'longhaul-metal-'));
  try {
    const out = join(dir, 'metal.elf');
    execFileSync(join(FOLDER, 'build'), [out], { stdio: 'pipe' });
    assert.ok(readFileSync(out).equals(readFileSync(join(FOLDER, 'metal.elf'))));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test('the image is small, and says multiboot in its first 8192 bytes', () => {
  const image = readFileSync(join(FOLDER, 'metal.elf'));
  assert.ok(image.length < 32 * 1024, `${image.length} bytes`);
  const at = image.indexOf(Buffer.from([0x02, 0xb0, 0xad, 0x1b]));
  assert.ok(at >= 0 && at < 8192 && at % 4 === 0);
  const words = [0, 4, 8].map((offset) => image.readUInt32LE(at + offset));
  assert.is(
    words.reduce((a, b) => (a + b) >>> 0),
    0,
    'magic, flags and checksum sum to 0',
  );
});

test.run();
