/** The rehearsal is a whole move within one thread: what it proves here holds for every host that starts. */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { TransportOrders } from '../../src/host/ipc.js';
import { rehearse } from '../../src/host/rehearsal.js';
import { suite } from '../suite.js';

const test = suite('host/rehearsal');

const TRANSPORTS: readonly TransportOrders[] = [
  { kind: 'tcp', congestion: null, rateBps: null },
  { kind: 'udp', congestion: 'bbr', rateBps: null, fec: true },
];

for (const [transport, sealed] of TRANSPORTS.flatMap((t) => [[t, false] as const, [t, true] as const]))
  test(`${transport.kind}${sealed ? ', sealed' : ''}: every rehearsed move completes with memory identical, and nothing is left behind`, () => {
    const dir = mkdtempSync(join(tmpdir(), 'rehearsal-'));
    const openBefore = readdirSync('/proc/self/fd').length;
    const { begun, good } = rehearse(join(dir, 'records'), transport, sealed, 12);
    assert.ok(good >= 1);
    // On a slow machine the time that a host may take cuts the last one short.
    assert.ok(
      good === begun || (begun < 12 && good === begun - 1),
      `${good} of ${begun}: hybrid, pre-copy, there and back`,
    );
    assert.not.ok(existsSync(join(dir, 'records.rehearsal')));
    assert.is(readdirSync('/proc/self/fd').length, openBefore, 'every descriptor is closed');
    rmSync(dir, { recursive: true });
  });

test.run();
