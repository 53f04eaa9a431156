import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import {
  findHosts,
  type HostStatus,
  hostFilesOf,
  type RecordKind,
  runDirectories,
} from '../../src/host/index.js';
import { suite } from '../suite.js';
import { inRun } from './run-stores.js';

const test = suite('host/host-directory');

const CASES: readonly [records: RecordKind[], live: HostStatus['state'] | null, state: string][] = [
  [['COMMIT'], 'in-doubt', 'in-doubt'],
  [['COMMIT'], 'moving', 'moving'],
  [['COMMIT'], null, 'memory-lost'],
  [['COMMIT', 'ENDED'], null, 'closed'],
  [['COMMIT', 'ENDED'], 'running', 'running'],
  [['RUNNING'], 'running', 'running'],
  [['RUNNING'], null, 'lost'],
  [['NEVER'], null, 'never'],
  [['NEVER'], 'standing-by', 'never'],
];

for (const [records, live, state] of CASES) {
  test(`${records.join(', ')} with ${live === null ? 'no process' : `a process that is ${live}`}: ${state}`, () =>
    inRun(async (run) => {
      run.store('a', ...records);
      if (live !== null) await run.live('a', live);
      const [guest] = await run.guests();
      assert.is(guest!.state, state);
      assert.is(guest!.epoch, 3);
      assert.is(guest!.host.live?.pid ?? null, live === null ? null : 4711);
    }));
}

test('the migration with the highest epoch says what became of a guest', () =>
  inRun(async (run) => {
    run.store(
      'a',
      ['COMMIT', 1, '01'.repeat(16)],
      ['ENDED', 1, '01'.repeat(16)],
      ['RUNNING', 2, '02'.repeat(16)],
    );
    const guests = await run.guests();
    assert.equal(
      guests.map((g) => [g.state, g.epoch, g.migrationId]),
      [['lost', 2, '02'.repeat(16)]],
    );
  }));

test('a host without a migration is listed by what its process says, and else not', () =>
  inRun(async (run) => {
    run.store('a');
    run.store('b');
    await run.live('a', 'running');
    assert.equal(
      (await run.guests()).map((g) => [g.host.site, g.state, g.epoch]),
      [['a', 'running', 0]],
    );
  }));

test('other files, torn stores and missing directories are passed over', () =>
  inRun(async (run) => {
    run.store('a', 'RUNNING');
    writeFileSync(join(run.dir, 'host-b.records'), Buffer.alloc(100, 0xff));
    writeFileSync(join(run.dir, 'host-UP.records'), '');
    writeFileSync(join(run.dir, 'notes'), '');
    const hosts = await findHosts([run.dir, '/nowhere/at/all']);
    assert.equal(
      hosts.map((h) => [h.site, h.storeId === '']),
      [
        ['a', false],
        ['b', true],
      ],
    );
    assert.ok(runDirectories().includes(run.dir));
  }));

test('a host’s socket answers garbage with a refusal, and a line without an end with silence', () =>
  inRun(async (run) => {
    run.store('a', 'COMMIT');
    await run.live('a', 'in-doubt');
    const { socket } = hostFilesOf(run.path('a'));
    const say = (bytes: string | Buffer): Promise<string> =>
      new Promise((resolve) => {
        let text = '';
        const client = connect(socket, () => client.write(bytes));
        client.on('data', (d) => {
          text += d;
        });
        client.on('close', () => resolve(text));
        client.on('error', () => {});
      });
    assert.match(await say('{"do":"open sesame"}\n'), '"ok":false');
    assert.match(await say('nonsense\n'), '"ok":false');
    assert.match(
      await say('{"do":"resolve","migrationId":"xy","verdict":"never","text":""}\n'),
      '"ok":false',
    );
    assert.is(await say(Buffer.alloc(10_000, 0x61)), '');
    assert.equal(run.orders, []);
    assert.is((await run.guests())[0]!.state, 'in-doubt', 'and it still answers');
  }));

test.run();
