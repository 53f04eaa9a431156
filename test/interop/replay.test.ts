/** Captures that this project has not made go across and arrive whole; tshark reads ours, and our protocol by the dissector. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { suite } from '../suite.js';
import { lackOf } from './sites.js';
import { captureTalk, TALKS } from './talking-namespaces.js';

const test = suite('interop/replay');

/** A frame of MTU 1500. */
const ETHERNET_FULL = 1514;
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

/** What the programs of a talk need. */
function lackOfTalk(name: string): string | null {
  const programs = ['tcpdump', 'tshark', 'ip', 'nsenter', 'ethtool', name];
  if (name === 'ssh') programs.push('ssh-keygen', '/usr/sbin/sshd');
  const lack = programs.map(lackOf).find((l) => l !== null) ?? null;
  return lack ?? (process.getuid?.() === 0 ? null : 'captures are root’s');
}

/** The bytes of a TCP conversation of a capture, each way, as tshark puts them together. */
function conversation(file: string, stream: number): readonly string[] {
  const { code, out, err } = run('tshark', '-r', file, '-q', '-z', `follow,tcp,raw,${stream}`);
  assert.is(code, 0, err);
  // A line a segment; those of who was connected to are indented.
  const lines = out.split('\n').filter((line) => /^\t?[0-9a-f]+$/.test(line));
  return ['', '\t'].map((indent) =>
    lines
      .filter((line) => line.startsWith('\t') === (indent === '\t'))
      .map((line) => line.trim())
      .join(''),
  );
}

/** TCP segments whose checksum is not right. */
function wrongChecksums(file: string, more: string): number {
  const filter = `tcp.checksum.status == "Bad"${more}`;
  const words = [
    '-r',
    file,
    '-o',
    'tcp.check_checksum:TRUE',
    '-Y',
    filter,
    '-T',
    'fields',
    '-e',
    'frame.number',
  ];
  const { code, out, err } = run('tshark', ...words);
  assert.is(code, 0, err);
  return out.split('\n').filter((line) => line !== '').length;
}

for (const talk of TALKS) {
  test.when(
    lackOfTalk(talk.name),
    `a capture of ${talk.name} made by tcpdump arrives complete and in order`,
    async () => {
      const own = mkdtempSync(join(dir, talk.name));
      const file = join(own, 'captured.pcap');
      const arrived = join(own, 'arrived.pcapng');
      const { code, said } = await captureTalk(talk, own, file);
      assert.is(code, 0, said);
      const pace = talk.offload ? '400Mbit' : 'captured';
      const replayed = longhaul(
        ...['replay', file, '--pace', pace, '--queue', '64MiB', '--out-capture', arrived, '--json'],
      );
      assert.is(replayed.code, 0, replayed.err);
      const r = JSON.parse(replayed.out);
      assert.ok(r.frames > 50, `${r.frames} frames`);
      assert.equal([r.aboveMtu, r.noFrame, r.sameSide, r.truncated], [0, 0, 0, 0]);
      assert.is(r.cut > 0, talk.offload, 'super-frames are cut as a card cuts them');
      for (const d of [r.directions['a-b'], r.directions['b-a']]) {
        assert.ok(d.sent > 0);
        assert.equal([d.delivered, d.lost, d.reordered, d.duplicated, d.changed], [d.sent, 0, 0, 0, 0]);
      }
      if (!talk.offload) {
        const diff = longhaul('capture', 'diff', file, arrived, '--json');
        assert.is(diff.code, 0, diff.out);
        assert.is(JSON.parse(diff.out).matched, r.packets);
      }
      for (const stream of talk.name === 'iperf3' ? [0, 1] : [0]) {
        const [before, after] = [conversation(file, stream), conversation(arrived, stream)];
        assert.ok(
          before.every((bytes) => bytes.length > 100) || talk.name === 'iperf3',
          'both said something',
        );
        assert.ok(
          before.every((bytes, way) => bytes === after[way]),
          `stream ${stream} says the same`,
        );
      }
      if (talk.offload) {
        // What left the card's work undone in the capture and was not cut is sent as it is.
        const uncut = wrongChecksums(file, ` && frame.len <= ${ETHERNET_FULL}`);
        assert.is(wrongChecksums(arrived, ''), uncut, 'segments that were cut have right checksums');
      }
    },
  );
}

for (const option of ['--capture', '--out-capture']) {
  test.when(lackOf('tshark'), `replay ${option} - mixed its summary into the capture`, () => {
    const piped = run(
      'sh',
      ...['-c', `"$0" "$1" replay "$2" ${option} - 2>/dev/null | tshark -r - -T fields -e frame.number`],
      ...[process.execPath, MAIN, `${CAPTURES}arp-icmp.pcapng`],
    );
    assert.is(piped.code, 0, piped.err);
    assert.not.match(piped.err, /damaged/);
    assert.is(piped.out.trim().split('\n').length, option === '--capture' ? 32 : 8);
  });
}

test.when(lackOf('tshark'), 'the recorded migration goes across and arrives whole', () => {
  const out = join(dir, 'migration-arrived.pcapng');
  const {
    code,
    err,
    out: text,
  } = longhaul(
    ...['replay', `${CAPTURES}migration.pcapng`, '--queue', '64MiB', '--out-capture', out, '--json'],
  );
  assert.is(code, 0, err);
  const r = JSON.parse(text);
  for (const d of [r.directions['a-b'], r.directions['b-a']]) {
    assert.ok(d.sent > 20, 'more than a handshake');
    assert.equal([d.delivered, d.lost, d.reordered, d.changed], [d.sent, 0, 0, 0]);
  }
  const said = (file: string): string[] => {
    const shown = longhaul('capture', 'show', '--no-packets', '--json', file).out;
    const { migrations } = JSON.parse(shown) as {
      migrations: { id: string; messages: { type: string }[] }[];
    };
    return migrations.flatMap(({ id, messages }) => [id, ...messages.map(({ type }) => type).sort()]);
  };
  assert.equal(said(out), said(`${CAPTURES}migration.pcapng`));
});

test.run();
