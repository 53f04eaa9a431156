/** The compliance suite over TAP and AF_PACKET; VLAN tags that the kernel takes off. */
import * as assert from 'uvu/assert';
import { bytesOf, CSUM_NEEDED, frameOf, GSO_TCPV4, messageOf } from '../../../src/core/index.js';
import {
  FrameIo,
  FramePool,
  MAX_FRAME_BYTES,
  newTally,
  type SendTally,
  VnetPort,
} from '../../../src/l2/ports/index.js';
import { withVlanTag } from '../../../src/l2/ports/vlan-restore.js';
import {
  bringDown,
  bringUp,
  closeFd,
  createNetns,
  createVeth,
  inNetns,
  NativeStruct,
  openDatagramPair,
  openPacket,
  openTap,
  POLLIN,
  PollSet,
  removeInterface,
  sendBytes,
  VNET_HDR_SIZE,
} from '../../../src/sys/index.js';
import { suite } from '../../suite.js';
import { compliance, type PortUnderTest } from './compliance.js';
import { FarEnd, isOurs, testFrame } from './far-end.js';

const test = suite('l2/ports/vnet');
const BUFFER_BYTES = 16 * 2 ** 20;
const QUEUE_FRAMES = 2000;
/** The most that TAP and veth take: frames of 65,535 bytes with their header. */
const MTU = 65_521;
const FAR = 'eth0';
const TAG = [0x81, 0x00, 0x20, 0x2a];

let veths = 0;

/** A TAP in a namespace of its own, whose far end is that namespace's kernel, heard through a raw socket. */
function tapPort(io: FrameIo, tally: SendTally): PortUnderTest {
  const netns = createNetns();
  const fd = inNetns(netns, () => openTap(FAR, true));
  inNetns(netns, () => bringUp(FAR, { mtu: MTU, txQueueFrames: QUEUE_FRAMES }));
  const far = FarEnd.withVirtioHeader(inNetns(netns, () => openPacket(FAR, BUFFER_BYTES)));
  return {
    port: new VnetPort('p', 'tap', fd, io, tally),
    far,
    carries: { fromBytes: 15, toBytes: MTU + 14 },
    superFrames: true,
    jam: () => inNetns(netns, () => bringDown(FAR)),
    vanish: () => inNetns(netns, () => removeInterface(FAR)),
    close: () => {
      far.close();
      closeFd(netns);
    },
  };
}

/** A packet socket on one end of a veth pair: to it, an interface that was there before. */
function packetPort(io: FrameIo, tally: SendTally): PortUnderTest {
  const [near, far] = [createNetns(), createNetns()];
  const name = `t${process.pid % 100_000}v${veths++}`;
  inNetns(near, () => {
    createVeth(name, FAR, far);
    bringUp(name, { mtu: MTU });
  });
  inNetns(far, () => bringUp(FAR, { mtu: MTU }));
  const end = FarEnd.withVirtioHeader(inNetns(far, () => openPacket(FAR, BUFFER_BYTES)));
  return {
    port: new VnetPort(
      'p',
      'packet',
      inNetns(near, () => openPacket(name, BUFFER_BYTES)),
      io,
      tally,
    ),
    far: end,
    carries: { fromBytes: 15, toBytes: MTU + 14 },
    superFrames: true,
    jam: () => inNetns(near, () => bringDown(name)),
    vanish: () => inNetns(near, () => removeInterface(name)),
    close: () => {
      end.close();
      closeFd(near);
      closeFd(far);
    },
  };
}

/** Why this kind of port cannot be made here, or null. */
function lackOf(make: (io: FrameIo, tally: SendTally) => PortUnderTest): string | null {
  const io = new FrameIo(new FramePool());
  try {
    const { port, close } = make(io, newTally());
    port.close();
    close();
    return null;
  } catch (e) {
    return messageOf(e);
  } finally {
    io.close();
  }
}

compliance(test, 'TAP', lackOf(tapPort), tapPort);
compliance(test, 'AF_PACKET', lackOf(packetPort), packetPort);

for (const length of [60, 2030, 2031, 9000]) {
  test.when(lackOf(packetPort), `AF_PACKET: a frame of ${length} bytes keeps its VLAN tag`, () => {
    const pool = new FramePool();
    const io = new FrameIo(pool);
    const { port, far, close } = packetPort(io, newTally());
    const polls = new PollSet(1);
    polls.add(port.fd, POLLIN);
    try {
      const plain = testFrame(length);
      const tagged = Uint8Array.from([...plain.subarray(0, 12), ...TAG, ...plain.subarray(12)]);
      for (const frame of [tagged, plain]) assert.ok(far.send(frame));
      const seen: Uint8Array[] = [];
      while (seen.length < 2 && polls.wait(200e6) > 0) {
        port.receive(8, (frame) => {
          const bytes = new Uint8Array(bytesOf(frame));
          if (isOurs(bytes)) seen.push(bytes);
          pool.release(frame);
        });
      }
      assert.equal(seen, [tagged, plain]);
    } finally {
      port.close();
      close();
      io.close();
    }
  });
}

test('a super-frame of 200 KiB comes whole, and one that is longer than any slot is dropped and counted', () => {
  const pool = new FramePool();
  const io = new FrameIo(pool);
  const [near, far] = openDatagramPair(4 * 2 ** 20);
  const port = new VnetPort('p', 'tap', near, io, newTally());
  const message = new NativeStruct(400_000);
  for (let i = VNET_HDR_SIZE; i < 400_000; i++) message.bytes[i] = i % 251;
  try {
    const lengths: number[] = [];
    for (const length of [200 * 1024, MAX_FRAME_BYTES - 1, MAX_FRAME_BYTES + 1, 60]) {
      const bytes = VNET_HDR_SIZE + length;
      assert.is(sendBytes(far, message.address, bytes), bytes);
      port.receive(8, (frame) => {
        lengths.push(frame.length);
        assert.ok(Buffer.compare(bytesOf(frame), message.bytes.subarray(10, 10 + frame.length)) === 0);
        pool.release(frame);
      });
    }
    assert.equal(lengths, [200 * 1024, MAX_FRAME_BYTES - 1, 60]);
    assert.equal(port.drops(), { 'too-long': 1 });
  } finally {
    port.close();
    closeFd(far);
    io.close();
  }
});

test('a restored tag moves what the virtio header counts from the frame’s first byte', () => {
  const pool = new FramePool();
  for (const length of [1000, 2032]) {
    const frame = pool.copyOf({
      data: testFrame(length),
      start: 0,
      length,
      offload: {
        flags: CSUM_NEEDED,
        gsoType: GSO_TCPV4,
        hdrLen: 54,
        gsoSize: 400,
        csumStart: 34,
        csumOffset: 16,
      },
    });
    const tagged = withVlanTag(pool, frame, 0x8100_202a);
    const plain = testFrame(length);
    assert.equal(
      new Uint8Array(bytesOf(tagged)),
      Uint8Array.from([...plain.subarray(0, 12), ...TAG, ...plain.subarray(12)]),
    );
    const { csumStart, csumOffset, hdrLen, gsoSize } = tagged.offload;
    assert.equal([csumStart, csumOffset, hdrLen, gsoSize], [38, 16, 58, 400]);
    tagged.readHeader();
    assert.is(tagged.offload.csumStart, 38, 'the header bytes say so too');
    assert.is(tagged.refs, 1);
    assert.is(frame === tagged || frame.refs === 0, true, 'a frame that was replaced was given back');
  }
});

test('a frame too short for a tag, or too long with it, stays as it is', () => {
  const pool = new FramePool();
  for (const length of [0, 11, MAX_FRAME_BYTES - 3]) {
    const frame = pool.copyOf(frameOf(testFrame(length)));
    assert.is(withVlanTag(pool, frame, 0x8100_0001), frame);
    assert.is(frame.length, length);
  }
});

test.run();
