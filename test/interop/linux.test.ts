/** The linux guest in a run: a shell over SSH, its TCP sessions, its downloads and its console across ten moves. */
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
import { clientProcesses, ShellSession } from './shell-session.js';
import { lackOf } from './sites.js';

const test = suite('interop/linux');
const built = existsSync(join(linuxImageFolder(), 'bios.bin'));
const lack = netnsLack() ?? lackOf('ssh') ?? (built ? null : 'longhaul guest build linux was not run here');

const MOVES = 10;
const PING_NS = 10_000_000;
const ASKED_IN: readonly string[] = ['pre-copy', 'switchover', 'verify'];

test.when(lack, 'a shell over SSH, sessions, downloads and the console go on across ten moves', async () => {
  const before = runDirectories();
  let shown = '';
  let following: Promise<void> | null = null;
  let shell: ShellSession | null = null;
  const end = new AbortController();
  const experiment = experimentFrom({
    seed: 7,
    attach: 'netns',
    guest: { kind: 'linux' },
    migration: { repeat: MOVES, 'start-after': '6s' },
  });
  const result = await runExperiment(experiment, {
    signal: new AbortController().signal,
    onEvent: (event) => {
      if (event.type === 'rtt') {
        const line = new AttachedConsole(consoleOf(runDirectories().filter((d) => !before.includes(d))));
        following = line.follow({
          print: (bytes) => {
            shown += Buffer.from(bytes).toString('latin1');
          },
          signal: end.signal,
        });
        // A variable of the shell that is set before the first move and read after it.
        line.type(Buffer.from('kept=across\r'));
        void sleep(2000).then(() => {
          shell = new ShellSession(clientProcesses()[0]!, experiment.guest.ip);
          shell.ask();
        });
        void sleep(8000).then(() => line.type(Buffer.from('echo it was $kept\r')));
      }
      // While memory is copied, in the moments before the pause, and when the guest runs at the other site.
      if (event.type === 'phase' && ASKED_IN.includes(event.phase)) shell?.ask();
    },
  });
  end.abort();
  await following;
  parseResult(JSON.parse(JSON.stringify(result)), 'the result');
  assert.is(result.migrations.length, MOVES);
  const ms = (ns: number): string => (ns / 1e6).toFixed(1);
  for (const m of result.migrations) {
    const { clients: c } = m;
    const told = c.map((s) => `${s.site}.${s.kind} ${s.answered}/${s.sent} ${ms(s.longestGapNs)}`).join(' ');
    process.stdout.write(
      `move ${m.index} pause ${ms(m.pauseNs ?? 0)} total ${ms(m.totalNs)} ms; answered/sent, gap: ${told}\n`,
    );
  }
  for (const m of result.migrations) {
    assert.is(m.outcome, 'completed', JSON.stringify(m.reason));
    assert.is(m.memoryIdentical, true);
    for (const c of m.clients) {
      assert.is(c.resets, 0, `${c.kind} at ${c.site} broke`);
      assert.is(c.wrong + c.bytesWrong, 0, `${c.kind} at ${c.site} got wrong bytes`);
    }
  }
  assert.ok(shown.includes('it was across'), shown);
  assert.ok(experiment.clients.every(({ icmpIntervalNs }) => icmpIntervalNs === PING_NS));
  const session = shell as ShellSession | null;
  assert.ok(session !== null, 'the shell was opened');
  process.stdout.write(
    `the shell answered ${session.answersNs.length} of ${session.asked} lines, ` +
      `the slowest after ${ms(Math.max(...session.answersNs))} ms; ${session.end ?? 'its client lives'}\n`,
  );
  session.close();
  assert.is(session.answersNs.length, session.asked, session.end ?? 'it still runs');
  assert.ok(session.asked >= 2 * MOVES, `${session.asked} lines were typed`);
});

test.run();
