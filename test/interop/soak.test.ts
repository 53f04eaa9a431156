/** The soak of `npm run soak`, a third of a minute of it: accounts close and memory stays flat. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { suite } from '../suite.js';
import { lackOf } from './sites.js';

const test = suite('interop/soak');
const SOAK = fileURLToPath(new URL('../../bench/fabric/soak.js', import.meta.url));

test.when(
  lackOf('iperf3'),
  'a fabric with every impairment and a time line: accounts close, memory is flat',
  () => {
    const soak = spawnSync(process.execPath, [SOAK, '--minutes', '0.4'], { encoding: 'utf8' });
    assert.is(soak.status, 0, soak.stderr);
    assert.match(soak.stdout, /soak\.resident\.growth/);
  },
);

test.run();
