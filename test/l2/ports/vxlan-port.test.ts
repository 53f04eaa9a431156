/** The compliance suite over VXLAN on 127.0.0.0/8; hostile datagrams; head-end replication and learning. */
import * as assert from 'uvu/assert';
import { bytesOf, ConfigError, frameOf } from '../../../src/core/index.js';
import { VXLAN_FLAG_VNI, VXLAN_HEADER_BYTES, writeVxlan } from '../../../src/l2/index.js';
import {
  FrameIo,
  FramePool,
  newTally,
  openVxlanSockets,
  type SendTally,
  VxlanPort,
} from '../../../src/l2/ports/index.js';
import { Appetite } from '../../../src/l2/ports/intake.js';
import { closeFd, connectUdp, openUdp, setBuffers } from '../../../src/sys/index.js';
import { suite } from '../../suite.js';
import { compliance } from './compliance.js';
import { FarEnd, testFrame } from './far-end.js';

const test = suite('l2/ports/vxlan');
const VNI = 0x012345;
const BUFFER_BYTES = 4 * 2 ** 20;
/** A UDP port of this test's own: other tests run beside it, and VXLAN's may be taken. */
const UDP_PORT = 20_000 + (process.pid % 10_000);
const NEAR = 0x7f000001;
const PEERS = [0x7f000002, 0x7f000003].map((ip) => ({ ip, port: UDP_PORT }));
const STRANGER = 0x7f000009;
/** What IPv4 leaves for the inner frame: 65535 - 20 - 8 - 8. */
const LONGEST = 65_499;

function header(vni = VNI, flags = VXLAN_FLAG_VNI): Uint8Array {
  const b = new Uint8Array(VXLAN_HEADER_BYTES);
  writeVxlan(b, 0, vni);
  b[0] = flags;
  return b;
}

/** A tunnel endpoint: sends from its own address with a port of its own, hears what is sent to VXLAN's. */
function endpoint(ip: number): FarEnd {
  const hears = openUdp({ ip, port: UDP_PORT });
  const says = openUdp({ ip, port: 0 });
  connectUdp(says, { ip: NEAR, port: UDP_PORT });
  setBuffers(hears, BUFFER_BYTES);
  setBuffers(says, BUFFER_BYTES);
  return new FarEnd(hears, header(), says);
}

function openPort(io: FrameIo, tally: SendTally, peers: number): VxlanPort {
  const sockets = openVxlanSockets(NEAR, BUFFER_BYTES, UDP_PORT);
  return new VxlanPort('p', { vni: VNI, peers: PEERS.slice(0, peers) }, sockets, io, tally);
}

compliance(test, 'VXLAN', null, (io, tally) => {
  const port = openPort(io, tally, 1);
  const far = endpoint(PEERS[0]!.ip);
  return {
    port,
    far,
    carries: { fromBytes: 0, toBytes: LONGEST },
    superFrames: false,
    close: () => far.close(),
  };
});

/** Everything that is waiting at the port. */
function drain(port: VxlanPort, pool: FramePool): Uint8Array[] {
  const seen: Uint8Array[] = [];
  while (
    port.receive(64, (frame) => {
      seen.push(new Uint8Array(bytesOf(frame)));
      pool.release(frame);
    }) > 0
  );
  return seen;
}

interface Tunnel {
  readonly port: VxlanPort;
  readonly pool: FramePool;
  readonly tally: SendTally;
  readonly ends: readonly [FarEnd, FarEnd];
  /** Sends a frame out of the port; says how many copies each end got. */
  copies(frame: Uint8Array): [number, number];
}

function withTunnel(body: (tunnel: Tunnel) => void): void {
  const pool = new FramePool();
  const io = new FrameIo(pool);
  const tally = newTally();
  const port = openPort(io, tally, 2);
  const ends = [endpoint(PEERS[0]!.ip), endpoint(PEERS[1]!.ip)] as const;
  try {
    body({
      port,
      pool,
      tally,
      ends,
      copies(frame) {
        const pooled = pool.copyOf(frameOf(frame));
        port.send(pooled);
        pool.release(pooled);
        port.flush();
        const heard = ends.map((end) => {
          let n = 0;
          while (end.receive(20e6) !== null) n++;
          return n;
        });
        return [heard[0]!, heard[1]!];
      },
    });
  } finally {
    port.close();
    for (const end of ends) end.close();
    io.close();
  }
}

test('datagrams that are not this network’s are dropped, each counted by its reason', () => {
  withTunnel(({ port, pool, ends }) => {
    const frame = testFrame(60);
    const none = new Uint8Array(0);
    ends[0].send(none, none);
    ends[0].send(none, header().subarray(0, 7));
    ends[0].send(frame, header(VNI, 0));
    ends[0].send(frame, header(VNI, 0xf7));
    ends[0].send(frame, header(VNI + 1));
    const stranger = openUdp({ ip: STRANGER, port: 0 });
    connectUdp(stranger, { ip: NEAR, port: UDP_PORT });
    new FarEnd(stranger, header()).send(frame);
    closeFd(stranger);
    ends[1].send(frame, header(VNI, 0xff));
    ends[1].send(none);
    assert.equal(
      drain(port, pool),
      [frame, none],
      'reserved flags are not read; an inner frame may be empty',
    );
    assert.equal(port.drops(), { truncated: 2, 'no-vni': 2, 'wrong-vni': 1, 'unknown-peer': 1 });
  });
});

test('golden bytes: flags, network and frame as RFC 7348 section 5 draws them', () => {
  withTunnel(({ port, pool, ends }) => {
    const raw = new FarEnd(ends[0].fd, new Uint8Array(0));
    const pooled = pool.copyOf(frameOf(testFrame(14)));
    port.send(pooled);
    port.flush();
    assert.is(
      Buffer.from(raw.receive()!.bytes).toString('hex'),
      // I flag, reserved, VNI 0x012345, reserved; then the frame.
      `08000000${'012345'}00${Buffer.from(testFrame(14)).toString('hex')}`,
    );
    assert.is(ends[1].receiveOurs(1).length, 1);
    pool.release(pooled);
  });
});

/** A frame of at least a header, from one address to another. */
function unicast(dst: number, src: number): Uint8Array {
  const b = testFrame(60);
  b.set([2, 0, 0, 0, 0, dst], 0);
  b.set([2, 0, 0, 0, 0, src], 6);
  return b;
}

test('frames for all and for unknown addresses go to every peer, known ones to the one they were heard from', () => {
  withTunnel(({ port, pool, ends, copies, tally }) => {
    assert.equal(copies(testFrame(60)), [1, 1], 'broadcast');
    assert.equal(copies(unicast(5, 1)), [1, 1], 'unknown');
    ends[1].send(unicast(1, 5));
    drain(port, pool);
    assert.equal(copies(unicast(5, 1)), [0, 1], 'heard from the second peer');
    ends[0].send(unicast(1, 5));
    drain(port, pool);
    assert.equal(copies(unicast(5, 1)), [1, 0], 'moved to the first');
    assert.equal(copies(testFrame(9)), [1, 1], 'too short for an address');
    assert.is(tally.framesOut, 8);
  });
});

test('a source address of a group is never learned', () => {
  withTunnel(({ port, pool, ends, copies }) => {
    const frame = unicast(1, 5);
    frame[6] = 3;
    ends[1].send(frame);
    drain(port, pool);
    const answer = unicast(5, 1);
    answer[0] = 3;
    assert.equal(copies(answer), [1, 1]);
  });
});

test('flows leave from several source ports, one flow always from the same', () => {
  const ports = new Map<number, Set<number>>();
  const pool = new FramePool();
  const io = new FrameIo(pool);
  const port = openPort(io, newTally(), 1);
  const hears = openUdp({ ip: PEERS[0]!.ip, port: UDP_PORT });
  setBuffers(hears, BUFFER_BYTES);
  const intake = io.intake;
  const appetite = new Appetite();
  for (let i = 0; i < 200; i++) {
    const pooled = pool.copyOf(frameOf(unicast(i % 50, 1)));
    port.send(pooled);
    pool.release(pooled);
  }
  port.flush();
  for (let n = 1; n > 0; ) {
    n = intake.readMessages(hears, VXLAN_HEADER_BYTES, appetite, 64);
    for (let k = 0; k < n; k++) {
      const frame = intake.take(k);
      const flow = frame.data[frame.start + 5]!;
      const from = intake.messages.senderPort(intake.slot(k));
      ports.set(flow, (ports.get(flow) ?? new Set()).add(from));
      pool.release(frame);
    }
  }
  assert.is(ports.size, 50);
  assert.ok([...ports.values()].every((p) => p.size === 1));
  const used = new Set([...ports.values()].flatMap((p) => [...p]));
  assert.ok(used.size >= 8, `${used.size} source ports`);
  assert.ok([...used].every((p) => p >= 49_152));
  port.close();
  closeFd(hears);
  io.close();
});

test('settings out of range are refused', () => {
  const io = new FrameIo(new FramePool(), 'calls');
  const sockets = { fd: -1, senderFds: [] };
  for (const settings of [
    { vni: -1, peers: PEERS },
    { vni: 2 ** 24, peers: PEERS },
    { vni: 1.5, peers: PEERS },
    { vni: 1, peers: [] },
    { vni: 1, peers: new Array(65).fill(PEERS[0]) },
  ]) {
    assert.throws(
      () => new VxlanPort('p', settings, sockets, io, newTally()),
      (e: unknown) => e instanceof ConfigError && e.code === 'L2_VXLAN_RANGE' && e.hint !== undefined,
    );
  }
});

test.run();
