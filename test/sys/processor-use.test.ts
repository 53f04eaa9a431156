import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import * as assert from 'uvu/assert';
import { processFamilyNs, processorTime } from '../../src/sys/index.js';
import { suite } from '../suite.js';

const test = suite('sys/processor-use');

const BURN = 'const u = () => process.cpuUsage(); while (u().user + u().system < 150e3);';

test('what a child has used counts for its parent, while it lives and when it has ended', async () => {
  const before = processFamilyNs(process.pid);
  const child = spawn(process.execPath, ['-e', `${BURN} console.log(1); process.stdin.resume();`]);
  await once(child.stdout, 'data');
  const living = processFamilyNs(process.pid);
  assert.ok(living - before >= 100e6, `${living - before}`);
  child.stdin.end();
  await once(child, 'exit');
  assert.ok(processFamilyNs(process.pid) >= living);
});

test('what another process has used does not', () => {
  const child = spawn(process.execPath, ['-e', 'process.stdin.resume()']);
  execFileSync(process.execPath, ['-e', BURN]);
  const child0 = processFamilyNs(child.pid!);
  const own = processFamilyNs(process.pid);
  child.stdin.end();
  assert.ok(own - child0 >= 100e6);
});

test('all processors together have done at least that', () => {
  const before = processorTime();
  execFileSync(process.execPath, ['-e', BURN]);
  assert.ok(processorTime().busyNs - before.busyNs >= 100e6);
});

test.run();
