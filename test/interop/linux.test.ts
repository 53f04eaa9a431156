/** The linux guest in a run: its TCP sessions, its downloads and its console across moves. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { linuxImageFolder } from '../../src/guest/linux/index.js';
import { runDirectories } from '../../src/host/index.js';
import { experimentFrom } from '../../src/lab/config/experiment-file.js';
import { AttachedConsole, consoleOf } from '../../src/lab/console.js';
import { parseResult } from '../../src/lab/result.js';
import { runExperiment } from '../../src/lab/run.js';
import { netnsLack } from '../lab/lacks.js';
import { suite } from '../suite.js';

const test = suite('interop/linux');
const built = existsSync(join(linuxImageFolder(), 'bios.bin'));
const lack = netnsLack() ?? (built ? null : 'longhaul guest build linux was not run here');

test.when(lack, 'sessions, downloads and a shell on its console go on across two moves', async () => {
  const before = runDirectories();
  let shown = '';
  let following: Promise<void> | null = null;
  const end = new AbortController();
  const result = await runExperiment(
    experimentFrom({ seed: 7, attach: 'netns', guest: { kind: 'linux' }, migration: { repeat: 2 } }),
    {
      signal: new AbortController().signal,
      onEvent: (event) => {
        if (event.type !== 'rtt') return;
        const line = new AttachedConsole(consoleOf(runDirectories().filter((d) => !before.includes(d))));
        following = line.follow({
          print: (bytes) => {
            shown += Buffer.from(bytes).toString('latin1');
          },
          signal: end.signal,
        });
        // A variable of the shell that is set before the first move and read after it.
        line.type(Buffer.from('kept=across\r'));
        void sleep(4000).then(() => line.type(Buffer.from('echo it was $kept\r')));
      },
    },
  );
  end.abort();
  await following;
  parseResult(JSON.parse(JSON.stringify(result)), 'the result');
  for (const m of result.migrations) {
    assert.is(m.outcome, 'completed', JSON.stringify(m.reason));
    assert.is(m.memoryIdentical, true);
    for (const c of m.clients) {
      assert.is(c.resets, 0, `${c.kind} at ${c.site} broke`);
      assert.is(c.wrong + c.bytesWrong, 0, `${c.kind} at ${c.site} got wrong bytes`);
    }
  }
  assert.ok(shown.includes('it was across'), shown);
});

test.run();
