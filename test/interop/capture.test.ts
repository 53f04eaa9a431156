/** tshark and capinfos on what we write, and what they write read by us. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { createCapture, openCapture } from '../../src/capture/files/index.js';
import { dropVerdict, formatInstant, type ReadPacket } from '../../src/capture/index.js';
import { Fabric } from '../../src/fabric/index.js';
import { resolveFiber } from '../../src/fiber/index.js';
import { udpFrame } from '../../src/l2/index.js';
import { openNioUdpPair } from '../../src/l2/ports/index.js';
import { addressOf, closeFd, connectUdp, nowNs, sendBytes } from '../../src/sys/index.js';
import { suite } from '../suite.js';
import { lackOf } from './sites.js';

const test = suite('interop/capture');
const lack = lackOf('tshark') ?? lackOf('capinfos') ?? lackOf('editcap');
const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const CAPTURES = fileURLToPath(new URL('../../../captures/', import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'longhaul-capture-'));
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));

/** What a program prints; it must not complain (but for being run as root). */
function output(program: string, ...words: string[]): string {
  const { status, stdout, stderr } = spawnSync(program, words, {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
    timeout: 60_000,
  });
  const complaint = stderr.replace(/^Running as user "root".*\n/m, '').trim();
  assert.is(complaint, '', `${program} ${words.join(' ')}`);
  assert.is(status, 0);
  return stdout;
}

/** The fields of each packet as tshark reads them. */
function fields(path: string, ...names: string[]): string[][] {
  const words = names.flatMap((name) => ['-e', name]);
  const text = output('tshark', '-r', path, '-T', 'fields', '-E', 'separator=|', ...words);
  return text.split('\n').flatMap((line) => (line === '' ? [] : [line.split('|')]));
}

async function read(path: string): Promise<{ packets: ReadPacket[]; names: string[]; instants: string[] }> {
  const reader = await openCapture(path);
  const packets: ReadPacket[] = [];
  for await (const batch of reader.batches()) packets.push(...batch);
  return {
    packets,
    names: packets.map((p) => reader.interfaces[p.interfaceId]!.name),
    instants: packets.map((p) => formatInstant(reader.epoch!, p.atNs)),
  };
}

test.when(
  lack,
  'every sample of a format is read alike: counts, lengths, stamps to the nanosecond',
  async () => {
    for (const name of [
      'microseconds.pcap',
      'nanoseconds.pcap',
      'big-endian.pcap',
      'big-endian-nanoseconds.pcap',
      'two-interfaces.pcapng',
    ]) {
      const path = join(CAPTURES, 'formats', name);
      const { packets, instants } = await read(path);
      const theirs = fields(path, 'frame.len', 'frame.cap_len', 'frame.time_epoch');
      assert.equal(
        theirs.map(([length, kept, time]) => [Number(length), Number(kept), instantOf(time!)]),
        packets.map((p, i) => [p.originalBytes, p.bytes.length, instants[i]]),
        name,
      );
    }
  },
);

/** `1700000000.000000001` as we print it. */
function instantOf(epochTime: string): string {
  const [seconds, fraction] = epochTime.split('.');
  return formatInstant({ seconds: Number(seconds), nanoseconds: Number(fraction!.padEnd(9, '0')) }, 0);
}

test.when(
  lack,
  'what we refuse as broken or foreign tshark refuses or cuts short at the same packet',
  async () => {
    for (const [name, packets] of [
      ['truncated-packet.pcap', 2],
      ['truncated-block.pcapng', 6],
      ['unknown-interface.pcapng', 1],
      ['beyond-snap-length.pcap', 1],
    ] as const) {
      const path = join(CAPTURES, 'broken', name);
      const theirs = spawnSync('tshark', ['-r', path, '-T', 'fields', '-e', 'frame.number'], {
        encoding: 'utf8',
      });
      const reader = await openCapture(path, { tolerant: true });
      let ours = 0;
      for await (const batch of reader.batches()) ours += batch.length;
      assert.is(ours, packets);
      // A record beyond the snap length is one that tshark believes and then finds cut off.
      assert.ok(theirs.status !== 0 && theirs.stdout.trim().split('\n').length <= packets, name);
    }
  },
);

test.when(
  lack,
  'editcap’s pcapng and its microseconds are read as the file that they were made of',
  async () => {
    const path = join(CAPTURES, 'formats', 'nanoseconds.pcap');
    const made = join(dir, 'edited.pcapng');
    execFileSync('editcap', ['-F', 'pcapng', path, made]);
    const [ours, theirs] = [await read(path), await read(made)];
    assert.equal(theirs.instants, ours.instants);
    assert.equal(
      theirs.packets.map((p) => Buffer.from(p.bytes).toString('hex')),
      ours.packets.map((p) => Buffer.from(p.bytes).toString('hex')),
    );
  },
);

test.when(lack, 'ids, directions, verdicts, comments and events are where Wireshark looks for them', () => {
  const path = join(dir, 'notes.pcapng');
  const writer = createCapture(path, {
    epoch: { seconds: 1_700_000_000, nanoseconds: 1 },
    comments: ['seed 7'],
  });
  const interfaceId = writer.addInterface({ name: 'left', description: 'site a: client port, tap' });
  const bytes = udpFrame(
    { srcMac: 1, dstMac: 2, srcIp: 3, dstIp: 4, ipId: 5 },
    40_000,
    40_001,
    Buffer.from('x'),
  );
  writer.write({ interfaceId, atNs: 0, bytes, direction: 'in', packetId: 41 });
  writer.comment(1, 'round 1 begins');
  writer.write({
    interfaceId,
    atNs: 2,
    bytes,
    direction: 'out',
    packetId: 42,
    verdict: dropVerdict('loss'),
    comment: 'dropped: loss',
  });
  writer.close([{ interfaceId, received: 9, droppedByInterface: 7, droppedByFilter: 0, comment: 'seven' }]);
  const rows = fields(
    path,
    'frame.packet_id',
    'frame.interface_name',
    'frame.packet_flags_direction',
    'frame.verdict.hw',
    'frame.comment',
    '_ws.malformed',
    'frame.protocols',
  );
  assert.equal(rows, [
    ['41', 'left', '0x00000001', '', '', '', 'eth:ethertype:ip:udp:data'],
    ['', 'events', '', '', 'round 1 begins', '', 'exported_pdu:data-text-lines'],
    ['42', 'left', '0x00000002', '6c 6f 73 73', 'dropped: loss', '', 'eth:ethertype:ip:udp:data'],
  ]);
  const infos = output('capinfos', path);
  for (const wanted of [
    /Number of packets:\s+3/,
    /nanoseconds \(9\)/,
    /Strict time order:\s+True/,
    /Capture comment:\s+seed 7/,
    /Number of stat entries = 1/,
  ]) {
    assert.match(infos, wanted);
  }
});

test.when(
  lack,
  'a recording of a running fabric: tshark reads it, and its ids give the fiber’s own delay',
  async () => {
    const path = join(dir, 'run.pcapng');
    const [oneWayNs, frames] = [300_000, 200];
    const fabric = new Fabric({
      fiber: resolveFiber({ oneWayNs, rateBps: Number.POSITIVE_INFINITY, lossProb: 0.1 }),
      qos: 'guest-first',
      spin: 'deadline',
      seed: 'interop',
    });
    const ends: number[] = [];
    try {
      await fabric.record({ path, comments: ['interop, seed interop'] }, (text) => assert.unreachable(text));
      for (const [name, site] of [
        ['left', 'a'],
        ['right', 'b'],
      ] as const) {
        const pair = openNioUdpPair(2 ** 20);
        connectUdp(pair.farFd, { ip: 0x7f000001, port: pair.fabricPort });
        ends.push(pair.farFd);
        await fabric.addPort({ name, site, role: 'client', kind: 'nio-udp', fd: pair.fabricFd });
      }
      fabric.comment(nowNs(), 'frames follow');
      const store = new Uint8Array(new ArrayBuffer(2_048));
      for (let ipId = 0; ipId < frames; ipId++) {
        const frame = udpFrame(
          { srcMac: 0x020000000001, dstMac: 0x020000000002, srcIp: 1, dstIp: 2, ipId },
          1,
          7_000,
          Buffer.alloc(50),
        );
        store.set(frame);
        sendBytes(ends[0]!, addressOf(store), frame.length);
      }
      const done = async (): Promise<boolean> => {
        const { fiber, ports } = await fabric.snapshot();
        return ports[0]!.framesIn === frames && fiber.aToB.inFlight.frames + fiber.aToB.queued.frames === 0;
      };
      while (!(await done()));
      const { fiber } = await fabric.snapshot();
      const report = await fabric.stopRecording();
      assert.is(report!.unrecorded, 0);

      const rows = fields(
        path,
        'frame.packet_id',
        'frame.interface_name',
        'frame.time_epoch',
        'frame.verdict.hw',
        'frame.protocols',
      );
      const at = (place: string): Map<string, string[]> =>
        new Map(rows.flatMap((r) => (r[1] === place ? [[r[0]!, r]] : [])));
      const [entered, arrived] = [at('fiber-a'), at('fiber-b')];
      assert.is(entered.size, frames);
      assert.is(arrived.size, frames);
      let lost = 0;
      for (const [id, row] of arrived) {
        assert.match(row[4]!, 'udp');
        if (row[3] !== '') lost++;
        else assert.is(differenceNs(row[2]!, entered.get(id)![2]!), oneWayNs, `packet ${id}`);
      }
      assert.is(lost, fiber.aToB.dropped.loss.packets);
      assert.is(at('right').size, fiber.aToB.delivered.packets);
      assert.is(rows.filter((r) => r[1] === 'events').length, 1);
      assert.match(output('capinfos', path), /nanoseconds \(9\)/);
    } finally {
      await fabric.stop();
      for (const fd of ends) closeFd(fd);
    }
  },
);

test.when(
  lack,
  'recordings in every format, of wire packets and in a ring: tshark counts and stamps as we do',
  async () => {
    const file = join(CAPTURES, 'tcp-loss.pcapng');
    for (const [name, options] of [
      ['wire.pcapng', ['--capture-wire']],
      ['ns.pcap', ['--capture-format', 'pcap-ns', '--capture-wire']],
      ['us.pcap', ['--capture-format', 'pcap-us', '--capture-snap', '96B']],
      ['ring.pcapng', ['--capture-file-size', '64KiB']],
    ] as const) {
      const words = ['replay', file, '--mtu', '9000', '--capture', join(dir, name), ...options];
      const { status, stderr } = spawnSync(process.execPath, [MAIN, ...words], { encoding: 'utf8' });
      assert.is(status, 0, stderr);
      const paths =
        name === 'ring.pcapng'
          ? [join(dir, 'ring_00001.pcapng'), join(dir, 'ring_00002.pcapng')]
          : [join(dir, name)];
      for (const path of paths) {
        const { packets, instants } = await read(path);
        assert.ok(packets.length > 20, path);
        const theirs = fields(path, 'frame.len', 'frame.cap_len', 'frame.time_epoch');
        assert.equal(
          theirs.map(([length, kept, time]) => [Number(length), Number(kept), instantOf(time!)]),
          packets.map((p, n) => [p.originalBytes, p.bytes.length, instants[n]]),
          path,
        );
      }
    }
  },
);

test.when(lack, 'a whole migration: its moments are events in the capture, its frames are decoded', () => {
  const path = join(dir, 'migration.pcapng');
  const run = [
    'run',
    '--attach',
    'loopback',
    '--memory',
    '16MiB',
    '--dirty',
    'idle',
    '--seed',
    '7',
    '--capture',
    path,
  ];
  const { status, stderr } = spawnSync(
    process.execPath,
    [MAIN, ...run, '--out', join(dir, 'run'), '--no-progress'],
    {
      encoding: 'utf8',
      timeout: 120_000,
    },
  );
  assert.is(status, 0, stderr);
  const events = fields(path, 'frame.interface_name', 'frame.comment').flatMap(([place, text]) =>
    place === 'events' ? [text!] : [],
  );
  for (const moment of [
    /round 1: \d+ pages/,
    /\(pause\)/,
    /COMMIT is on record/,
    /RUNNING is on record/,
    /announced/,
  ]) {
    assert.ok(
      events.some((text) => moment.test(text)),
      `${moment} in ${events.join('\n')}`,
    );
  }
  assert.match(output('capinfos', '-k', path), /seed 7/);
  const protocols = output('tshark', '-r', path, '-q', '-z', 'io,phs');
  for (const wanted of [/udp/, /icmp/, /arp/]) assert.match(protocols, wanted);
});

function differenceNs(later: string, earlier: string): number {
  const ns = (text: string): bigint => BigInt(text.replace('.', ''));
  return Number(ns(later) - ns(earlier));
}

test.run();
