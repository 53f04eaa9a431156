/**
 * The metal image in v86, in this process: frames go in and come out, and nothing else is between. Its TCP is spoken
 * to by hand, segment by segment.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { packMachineState, unpackMachineState } from '../../../src/guest/index.js';
import { machineShape, V86Machine } from '../../../src/guest/pc/index.js';
import { nowNs } from '../../../src/sys/index.js';
import { suite } from '../../suite.js';

const IMAGE = fileURLToPath(new URL('../../../../guest-images/metal/metal.elf', import.meta.url));
const MEMORY = 8 * 2 ** 20;
const GUEST_IP = 0x0a500010;
const CLIENT_IP = 0x0a500065;
const GUEST_MAC = Uint8Array.of(2, 0, 0, 0, 0, 0x10);
const CLIENT_MAC = Uint8Array.of(2, 0, 0, 0, 0, 0x65);
const BROADCAST = new Uint8Array(6).fill(255);
const FIN = 1;
const SYN = 2;
const RST = 4;
const PSH = 8;
const ACK = 16;
/** Guest time that a test waits at most: enough for every timer it needs, and no end of it is a test's result. */
const PATIENCE_NS = 20_000_000_000;

const test = suite('guest/pc/metal');

interface Segment {
  readonly from: number;
  readonly to: number;
  readonly seq: number;
  readonly ack: number;
  readonly flags: number;
  readonly window: number;
  readonly data: Uint8Array;
}

class Bench {
  readonly machine: V86Machine;
  readonly frames: Uint8Array[] = [];
  console = '';

  private constructor(machine: V86Machine, out: { bench: Bench | null }) {
    this.machine = machine;
    out.bench = this;
  }

  static async start(commandLine: string | null): Promise<Bench> {
    const out: { bench: Bench | null } = { bench: null };
    const machine = await V86Machine.start({
      memoryBytes: MEMORY,
      mac: GUEST_MAC,
      boot: commandLine === null ? null : { kind: 'multiboot', image: readFileSync(IMAGE), commandLine },
      onFrame: (frame) => out.bench?.frames.push(frame.slice()),
      onSerial: (byte) => {
        if (out.bench !== null) out.bench.console += String.fromCharCode(byte);
      },
    });
    const bench = new Bench(machine, out);
    if (commandLine !== null) bench.runUntil(() => bench.console.includes('metal: ready'), 'it is ready');
    return bench;
  }

  runUntil(done: () => boolean, what: string): void {
    const untilNs = nowNs() + PATIENCE_NS;
    while (!done()) {
      assert.ok(nowNs() < untilNs, `waited in vain until ${what}; console: ${this.console}`);
      this.machine.step();
    }
  }

  /** Runs the guest until a frame for which `pick` has a value comes. */
  expect<T>(pick: (frame: Uint8Array) => T | null, what: string): T {
    let found: T | null = null;
    this.runUntil(() => {
      while (found === null && this.frames.length > 0) found = pick(this.frames.shift()!);
      return found !== null;
    }, what);
    return found!;
  }

  send(frame: Uint8Array): void {
    this.runUntil(() => this.machine.takesFrames(), 'the card has a buffer');
    this.machine.deliver(frame);
  }

  segment(what: string, port: number): Segment {
    return this.expect((frame) => {
      const s = tcpOf(frame);
      return s !== null && s.to === port ? s : null;
    }, what);
  }
}

function put16(b: Uint8Array, at: number, v: number): void {
  b[at] = v >>> 8;
  b[at + 1] = v;
}
function put32(b: Uint8Array, at: number, v: number): void {
  put16(b, at, v >>> 16);
  put16(b, at + 2, v & 0xffff);
}
function get16(b: Uint8Array, at: number): number {
  return (b[at]! << 8) | b[at + 1]!;
}
function get32(b: Uint8Array, at: number): number {
  return get16(b, at) * 65536 + get16(b, at + 2);
}
function sum(b: Uint8Array, start: number, end: number, first = 0): number {
  let s = first;
  for (let i = start; i < end; i += 2) s += (b[i]! << 8) | (i + 1 < end ? b[i + 1]! : 0);
  while (s > 0xffff) s = (s & 0xffff) + (s >>> 16);
  return s;
}

function ip(protocol: number, payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(34 + payload.length);
  frame.set(GUEST_MAC, 0);
  frame.set(CLIENT_MAC, 6);
  put16(frame, 12, 0x0800);
  put16(frame, 14, 0x4500);
  put16(frame, 16, 20 + payload.length);
  frame[22] = 64;
  frame[23] = protocol;
  put32(frame, 26, CLIENT_IP);
  put32(frame, 30, GUEST_IP);
  put16(frame, 24, ~sum(frame, 14, 34) & 0xffff);
  frame.set(payload, 34);
  return frame;
}

function pseudo(protocol: number, bytes: number): number {
  return (
    (CLIENT_IP >>> 16) + (CLIENT_IP & 0xffff) + (GUEST_IP >>> 16) + (GUEST_IP & 0xffff) + protocol + bytes
  );
}

function tcp(s: Partial<Segment> & { from: number; to: number }): Uint8Array {
  const data = s.data ?? new Uint8Array(0);
  const options = (s.flags ?? 0) & SYN ? 4 : 0;
  const b = new Uint8Array(20 + options + data.length);
  put16(b, 0, s.from);
  put16(b, 2, s.to);
  put32(b, 4, (s.seq ?? 0) >>> 0);
  put32(b, 8, (s.ack ?? 0) >>> 0);
  b[12] = (20 + options) << 2;
  b[13] = s.flags ?? ACK;
  put16(b, 14, s.window ?? 65535);
  if (options) put32(b, 20, 0x020405b4);
  b.set(data, 20 + options);
  put16(b, 16, ~sum(b, 0, b.length, pseudo(6, b.length)) & 0xffff);
  return ip(6, b);
}

function tcpOf(frame: Uint8Array): Segment | null {
  if (get16(frame, 12) !== 0x0800 || frame[23] !== 6) return null;
  const end = 14 + get16(frame, 16);
  const t = 34;
  assert.is(sum(frame, 14, 34), 0xffff, 'IP checksum');
  assert.is(sum(frame, t, end, pseudo(6, end - t)), 0xffff, 'TCP checksum');
  return {
    from: get16(frame, t),
    to: get16(frame, t + 2),
    seq: get32(frame, t + 4),
    ack: get32(frame, t + 8),
    flags: frame[t + 13]!,
    window: get16(frame, t + 14),
    data: frame.slice(t + (frame[t + 12]! >> 4) * 4, end),
  };
}

function text(s: string): Uint8Array {
  return new TextEncoder().encode(s);
}

/** Opens a connection. @returns the next sequence numbers of both */
function open(bench: Bench, from: number, to: number): { seq: number; ack: number } {
  bench.send(tcp({ from, to, seq: 1000, flags: SYN }));
  const answer = bench.segment('the SYN is answered', from);
  assert.is(answer.flags, SYN | ACK);
  assert.is(answer.ack, 1001);
  const ack = (answer.seq + 1) >>> 0;
  bench.send(tcp({ from, to, seq: 1001, ack, flags: ACK }));
  return { seq: 1001, ack };
}

const ADDRESS = 'ip=10.80.0.16 fill=none heartbeat=0';

test('answers ARP, echo requests and datagrams', async () => {
  const bench = await Bench.start(ADDRESS);
  const arp = new Uint8Array(42);
  arp.set(BROADCAST, 0);
  arp.set(CLIENT_MAC, 6);
  put16(arp, 12, 0x0806);
  put32(arp, 14, 0x00010800);
  put32(arp, 18, 0x06040001);
  arp.set(CLIENT_MAC, 22);
  put32(arp, 28, CLIENT_IP);
  put32(arp, 38, GUEST_IP);
  bench.send(arp);
  const reply = bench.expect((f) => (get16(f, 12) === 0x0806 ? f : null), 'ARP is answered');
  assert.equal(reply.slice(0, 6), CLIENT_MAC);
  assert.equal(reply.slice(22, 28), GUEST_MAC);
  assert.is(get32(reply, 28), GUEST_IP);

  const echo = new Uint8Array(8 + 1400).map((_, i) => i * 7);
  put32(echo, 0, 0x08000000);
  put32(echo, 4, 0x12340001);
  put16(echo, 2, ~sum(echo, 0, echo.length) & 0xffff);
  bench.send(ip(1, echo));
  const answered = bench.expect((f) => (f[23] === 1 ? f : null), 'the echo comes');
  assert.is(answered[34], 0);
  assert.equal(answered.slice(42, 42 + 1400), echo.slice(8));
  assert.is(sum(answered, 34, answered.length), 0xffff);

  const datagram = new Uint8Array(8 + 5);
  put16(datagram, 0, 5000);
  put16(datagram, 2, 7);
  put16(datagram, 4, datagram.length);
  datagram.set(text('hello'), 8);
  bench.send(ip(17, datagram));
  const back = bench.expect((f) => (f[23] === 17 ? f : null), 'the datagram comes back');
  assert.is(get16(back, 36), 5000);
  assert.equal(back.slice(42, 47), text('hello'));
});

test('TCP: echoes in order, drops what is out of order, sends again what is not acknowledged, closes after its peer', async () => {
  const bench = await Bench.start(ADDRESS);
  const [from, to] = [40001, 7];
  const { seq, ack } = open(bench, from, to);

  bench.send(tcp({ from, to, seq: seq + 3, ack, flags: ACK | PSH, data: text('DEF') }));
  const early = bench.segment('what came early is acknowledged as such', from);
  assert.is(early.ack, seq);
  assert.is(early.data.length, 0);

  bench.send(tcp({ from, to, seq, ack, flags: ACK | PSH, data: text('abc') }));
  const first = bench.segment('the echo comes', from);
  assert.equal(first.data, text('abc'));
  assert.is(first.ack, seq + 3);
  assert.is(first.seq, ack);

  const again = bench.segment('it comes again, since nobody acknowledged it', from);
  assert.equal(again.data, text('abc'));
  assert.is(again.seq, first.seq);

  bench.send(tcp({ from, to, seq: seq + 3, ack: ack + 3, flags: ACK | FIN, data: text('xyz') }));
  const last = bench.segment('the rest comes, with FIN', from);
  assert.equal(last.data, text('xyz'));
  assert.is(last.flags & FIN, FIN);
  assert.is(last.ack, seq + 7);
  bench.send(tcp({ from, to, seq: seq + 7, ack: ack + 7, flags: ACK }));
  bench.send(tcp({ from, to, seq: seq + 7, ack: ack + 7, flags: ACK }));
  assert.is(bench.segment('the connection is gone', from).flags & RST, RST);
});

test('TCP: refuses ports without a service, survives segments of any shape, and holds a peer back that does not read', async () => {
  const bench = await Bench.start(ADDRESS);
  bench.send(tcp({ from: 40002, to: 99, seq: 5, flags: SYN }));
  const refused = bench.segment('the SYN is refused', 40002);
  assert.is(refused.flags, RST | ACK);
  assert.is(refused.ack, 6);

  for (let length = 0; length < 120; length++) {
    const frame = tcp({ from: 40003, to: 7, flags: length & 63, data: new Uint8Array(length) });
    bench.send(frame.slice(0, Math.max(14, frame.length - 7 * (length % 9))));
    frame[46] = length * 4;
    bench.send(frame);
  }
  const [from, to] = [40004, 7];
  const { seq, ack } = open(bench, from, to);
  let sent = 0;
  let window = 0;
  for (;;) {
    bench.send(
      tcp({ from, to, seq: seq + sent, ack, flags: ACK, window: 0, data: new Uint8Array(1000).fill(1) }),
    );
    sent += 1000;
    const answer = bench.segment('what came is acknowledged', from);
    window = answer.window;
    if (((answer.ack - seq) | 0) < sent) break;
    assert.ok(sent < 65536, 'the window shuts before 64 KiB');
  }
  assert.is(window, 0);
});

test('a machine restored elsewhere goes on in the middle of its connections', async () => {
  const here = await Bench.start(`${ADDRESS} lines=2`);
  const [from, to] = [40005, 19];
  const { seq, ack } = open(here, from, to);
  const before = here.segment('the counter counts', from);
  assert.is(before.seq, ack);
  assert.equal(before.data.slice(0, 12), text('00000000000\n'));

  const shape = machineShape(MEMORY);
  const room = new Uint8Array(512 * 1024);
  const packed = packMachineState(shape, here.machine.save(), room);
  assert.ok(packed > 0 && packed < 128 * 1024, `${packed} bytes of state`);
  const there = await Bench.start(null);
  there.machine.memory().set(here.machine.memory());
  const state = unpackMachineState(room.subarray(0, packed), shape);
  assert.ok(state.ok);
  there.machine.restore(state.tree);

  there.send(tcp({ from, to, seq, ack: ack + 12, flags: ACK }));
  const after = there.segment('it counts on', from);
  const number = (after.seq - ack) / 12;
  assert.equal(after.data.slice(0, 12), text(`${String(number).padStart(11, '0')}\n`));
});

test.run();
