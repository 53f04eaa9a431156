/** Captures that this project has not made go across and arrive whole; tshark reads ours, and our protocol by the dissector. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { suite } from '../suite.js';
import { lackOf } from './sites.js';

const test = suite('interop/replay');

const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const CAPTURES = fileURLToPath(new URL('../../../captures/', import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'longhaul-interop-replay-'));
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));

function run(
  program: string,
  ...words: readonly string[]
): { code: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(program, words, { encoding: 'utf8', maxBuffer: 64 * 2 ** 20 });
  return { code: status, out: stdout, err: stderr };
}

const longhaul = (...words: readonly string[]): { code: number | null; out: string; err: string } =>
  run(process.execPath, MAIN, ...words);

test.when(lackOf('tshark'), 'the dissector names the messages of the recorded migration as we do', () => {
  const file = `${CAPTURES}migration.pcapng`;
  // Where each frame was seen first: to Wireshark the same segment at the next interface is a retransmission.
  const filter = 'longhaul.message.type && frame.packet_flags_direction == 2';
  const { out, err } = run(
    'tshark',
    ...['-X', `lua_script:${CAPTURES}longhaul.lua`, '-r', file, '-Y', filter],
    ...['-T', 'fields', '-e', 'longhaul.message.type'],
  );
  assert.not.match(err, /error|Lua/i);
  const shown = longhaul('capture', 'show', '--no-packets', '--json', file).out;
  const [migration] = (JSON.parse(shown) as { migrations: { messages: { type: string }[] }[] }).migrations;
  assert.equal(
    out.trim().split(/[\s,]+/),
    migration!.messages.map(({ type }) => type),
  );
});

test.when(lackOf('tshark'), 'the dissector counts the pages of each round as we do, encoded ones too', () => {
  const file = `${CAPTURES}migration.pcapng`;
  const { out } = run(
    'tshark',
    ...['-X', `lua_script:${CAPTURES}longhaul.lua`, '-r', file],
    ...['-Y', 'longhaul.record.kind && frame.packet_flags_direction == 2'],
    ...['-T', 'fields', '-e', 'longhaul.round', '-e', 'longhaul.record.pages'],
  );
  const theirs = new Map<number, number>();
  for (const line of out.trim().split('\n')) {
    const [rounds = [], pages = []] = line.split('\t').map((field) => field.split(',').map(Number));
    for (const [i, round] of rounds.entries()) theirs.set(round, (theirs.get(round) ?? 0) + pages[i]!);
  }
  const shown = longhaul('capture', 'show', '--no-packets', '--json', file).out;
  const [migration] = (
    JSON.parse(shown) as { migrations: { rounds: { round: number; pages: Record<string, number> }[] }[] }
  ).migrations;
  assert.equal(
    [...theirs],
    migration!.rounds.map(({ round, pages }) => [round, Object.values(pages).reduce((sum, n) => sum + n, 0)]),
  );
});

test.when(
  lackOf('tshark'),
  'tshark decodes every sample without a complaint, with as many packets as we',
  () => {
    for (const name of ['arp-icmp', 'tcp-loss', 'vxlan', 'switchover', 'migration']) {
      const file = `${CAPTURES}${name}.pcapng`;
      const theirs = run('tshark', '-r', file, '-T', 'fields', '-e', 'frame.number', '-e', 'frame.len');
      assert.is(theirs.code, 0, theirs.err);
      const shown = longhaul('capture', 'show', '--json', file).out.trim().split('\n');
      const ours = shown.slice(0, -1).map((l) => JSON.parse(l) as { number: number; length: number });
      assert.equal(
        theirs.out.trim().split('\n'),
        ours.map((p) => `${p.number}\t${p.length}`),
        name,
      );
      const bad = run(
        'tshark',
        '-r',
        file,
        '-Y',
        '_ws.malformed || _ws.expert.severity == error',
        '-T',
        'fields',
        '-e',
        'frame.number',
      );
      assert.is(bad.out.trim(), '', name);
    }
  },
);

const noIperf =
  lackOf('iperf3') ??
  lackOf('dumpcap') ??
  lackOf('ip') ??
  (process.getuid?.() === 0 ? null : 'captures are root’s');

test.when(noIperf, 'a capture of iperf3 made by dumpcap arrives complete and in order', async () => {
  const file = join(dir, 'iperf3.pcapng');
  // Loopback of a namespace of its own: frames of up to 64 KiB, no MAC addresses.
  const server = spawn(
    'unshare',
    [
      '-n',
      'sh',
      '-c',
      `ip link set lo up
    dumpcap -q -i lo -w ${file} 2>/dev/null & capture=$!
    sleep 1
    iperf3 -s -1 >/dev/null & sleep 0.5
    iperf3 -c 127.0.0.1 -n 8M -l 64K >/dev/null
    sleep 1
    kill -INT $capture; wait $capture`,
    ],
    { stdio: 'ignore' },
  );
  await new Promise((resolve) => server.once('close', resolve));
  await sleep(100);
  const out = join(dir, 'iperf3-arrived.pcapng');
  const replayed = longhaul(
    'replay',
    file,
    '--pace',
    '2000pps',
    '--queue',
    '64MiB',
    '--out-capture',
    out,
    '--json',
  );
  assert.is(replayed.code, 0, replayed.err);
  const r = JSON.parse(replayed.out);
  assert.ok(r.frames > 200, `${r.frames} frames`);
  assert.ok(r.cut > 0, 'loopback’s long segments are cut');
  assert.equal([r.aboveMtu, r.noFrame, r.sameSide], [0, 0, 0]);
  for (const d of [r.directions['a-b'], r.directions['b-a']]) {
    assert.ok(d.sent > 0);
    assert.equal([d.delivered, d.lost, d.reordered, d.duplicated, d.changed], [d.sent, 0, 0, 0, 0]);
  }
  const arrived = run(
    'tshark',
    '-r',
    out,
    '-o',
    'tcp.check_checksum:TRUE',
    '-Y',
    'frame.len > 1000 && tcp.checksum.status == "Bad"',
  );
  assert.is(arrived.code, 0, arrived.err);
  assert.is(arrived.out.trim(), '', 'segments that were cut have right checksums');
});

test.run();
