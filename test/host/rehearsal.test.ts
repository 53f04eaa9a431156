/** The rehearsal is a whole move within one thread: what it proves here holds for every host that starts. */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { TransportOrders } from '../../src/host/ipc.js';
import { Rehearsal } from '../../src/host/rehearsal.js';
import { suite } from '../suite.js';

const test = suite('host/rehearsal');

function rehearse(path: string, transport: TransportOrders, sealed: boolean, moves: number, limitNs: number) {
  const rehearsal = new Rehearsal(path, transport, sealed);
  const result = rehearsal.run(moves, limitNs);
  rehearsal.close();
  return result;
}

const TRANSPORTS: readonly TransportOrders[] = [
  { kind: 'tcp', congestion: null, rateBps: null },
  { kind: 'udp', congestion: 'bbr', rateBps: null, fec: true },
];

for (const [transport, sealed] of TRANSPORTS.flatMap((t) => [[t, false] as const, [t, true] as const]))
  test(`${transport.kind}${sealed ? ', sealed' : ''}: every rehearsed move completes with memory identical, and nothing is left behind`, () => {
    const dir = mkdtempSync(join(tmpdir(), 'rehearsal-'));
    const openBefore = readdirSync('/proc/self/fd').length;
    const { ended, good } = rehearse(join(dir, 'records'), transport, sealed, 12, Number.POSITIVE_INFINITY);
    assert.is(ended, 12);
    assert.is(good, ended, 'hybrid and pre-copy moves, there and back');
    assert.not.ok(existsSync(join(dir, 'records.rehearsal')));
    assert.is(readdirSync('/proc/self/fd').length, openBefore, 'every descriptor is closed');
    rmSync(dir, { recursive: true });
  });

for (const [transport, sealed] of TRANSPORTS.flatMap((t) => [[t, false] as const, [t, true] as const]))
  test(`${transport.kind}${sealed ? ', sealed' : ''}: of a move that is held, the pause is played in two halves, and the next one too`, () => {
    const dir = mkdtempSync(join(tmpdir(), 'rehearsal-'));
    const openBefore = readdirSync('/proc/self/fd').length;
    const rehearsal = new Rehearsal(join(dir, 'records'), transport, sealed);
    assert.not.ok(rehearsal.playSource(), 'none is held');
    for (let i = 0; i < 3; i++) {
      rehearsal.poise();
      assert.not.ok(rehearsal.playDestination(), 'FINAL has not been sent');
      assert.ok(rehearsal.playSource(), 'from the pause call to FINAL');
      assert.ok(rehearsal.playDestination(), 'from FINAL to STARTED');
      assert.ok(rehearsal.playSource(), 'two are held');
      assert.not.ok(rehearsal.playSource(), 'and no more');
      assert.ok(rehearsal.playDestination());
    }
    rehearsal.poise();
    rehearsal.close();
    assert.is(readdirSync('/proc/self/fd').length, openBefore, 'every descriptor is closed');
    assert.equal(readdirSync(dir), []);
    rmSync(dir, { recursive: true });
  });

test('a rehearsal that is cut short in the middle of a move leaves no descriptor open', () => {
  const dir = mkdtempSync(join(tmpdir(), 'rehearsal-'));
  const openBefore = readdirSync('/proc/self/fd').length;
  for (const limitNs of [1, 500_000, 2_000_000, 5_000_000, 20_000_000]) {
    const { ended, good } = rehearse(join(dir, 'records'), TRANSPORTS[0]!, true, 1_000_000, limitNs);
    assert.is(good, ended);
    assert.is(readdirSync('/proc/self/fd').length, openBefore, `after ${limitNs} ns`);
  }
  rmSync(dir, { recursive: true });
});

test.run();
