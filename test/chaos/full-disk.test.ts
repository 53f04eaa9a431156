import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { suite } from '../suite.js';
import { lackOfDisk, withOwnMounts } from './full-disk.js';

const test = suite('chaos/full-disk');
const FULL_DISK = new URL('./full-disk.js', import.meta.url).href;
const isMounted = (dir: string): boolean => readFileSync('/proc/self/mountinfo', 'utf8').includes(dir);

/** Fills a small disk over `dir`, says how that went, and stays. */
function filling(dir: string): ChildProcess {
  const body = `
    import { writeFileSync } from 'node:fs';
    import { SmallDisk } from ${JSON.stringify(FULL_DISK)};
    new SmallDisk(${JSON.stringify(dir)}).fill();
    try {
      writeFileSync(${JSON.stringify(join(dir, 'more'))}, 'x');
      console.log('room');
    } catch (e) {
      console.log(e.code);
    }
    setInterval(() => {}, 1000);`;
  const [program, ...args] = withOwnMounts([process.execPath, '--input-type=module', '-e', body]);
  return spawn(program!, args, { stdio: ['ignore', 'pipe', 'inherit'] });
}

test.when(lackOfDisk(), 'a run that was killed while its disk was full left the disk mounted', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'full-disk-'));
  try {
    const child = filling(dir);
    const [said] = (await once(child.stdout!, 'data')) as [Buffer];
    assert.is(said.toString().trim(), 'ENOSPC');
    assert.not.ok(isMounted(dir), 'nobody else sees it');
    child.kill('SIGKILL');
    await once(child, 'exit');
    assert.not.ok(isMounted(dir));
    rmSync(dir, { recursive: true }); // a mount point cannot be removed
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

test.run();
