/**
 * Records captures/migration.pcapng: `longhaul run` on this machine, a guest of 1 MiB moved in the clear, seen at both
 * ends of the fiber. What the clients ask and are answered is left out, so that it stays small.
 *
 *   node dist/test/captures/record-migration.js        as root, or in a user namespace: it needs `netns`
 *
 * A recording of real processes: its instants are this machine's, and no second one is the same. Record it anew after a
 * change of the protocol; the expected decode is written beside it.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CAPTURES, decodeOf } from './expected.js';

const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'longhaul-record-'));
const file = join(CAPTURES, 'migration.pcapng');

const RUN = [
  ...['run', '--attach', 'netns', '--transport', 'tcp', '--insecure', '--seed', '7', '--no-progress'],
  ...['--memory', '1MiB', '--fill', 'zero', '--dirty', 'zipf:1MB/s', '--hot-set', '128KiB'],
  ...['--compress', 'on', '--delta', 'on', '--dedup', 'on'],
  ...[
    '--capture',
    file,
    '--capture-filter',
    '(l4 8000 or proto arp or proto rarp) and (port fiber-a or port fiber-b)',
  ],
  ...['--out', dir],
];

try {
  const { status } = spawnSync(process.execPath, [MAIN, ...RUN], { stdio: 'inherit' });
  if (status !== 0) throw new Error(`longhaul run ended with ${status}`);
  writeFileSync(join(CAPTURES, 'migration.txt'), await decodeOf(file));
} finally {
  rmSync(dir, { recursive: true, force: true });
}
