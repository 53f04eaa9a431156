/** What every port must do, whatever it hangs on: one suite, run over each of them, with io_uring and without. */
import { readdirSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { bytesOf, CSUM_NEEDED, type Frame, frameOf, GSO_TCPV4 } from '../../../src/core/index.js';
import { packetsOf, toWirePackets } from '../../../src/l2/index.js';
import {
  FrameIo,
  FramePool,
  type FramePort,
  newTally,
  type PooledFrame,
  type SendTally,
} from '../../../src/l2/ports/index.js';
import { openIoBatch, POLLIN, PollSet } from '../../../src/sys/index.js';
import type { Suite } from '../../suite.js';
import { type FarEnd, isOurs, seedOf, testFrame } from './far-end.js';

export interface PortUnderTest {
  readonly port: FramePort;
  readonly far: FarEnd;
  /** Frames that pass whole; others may be refused, if they are counted. */
  readonly carries: { readonly fromBytes: number; readonly toBytes: number };
  /** Super-frames pass uncut. */
  readonly superFrames: boolean;
  /** Makes the interface refuse frames for the time being; absent where a sender cannot notice that. */
  jam?(): void;
  /** Removes what the port hangs on; absent where nothing can vanish. */
  vanish?(): void;
  /** Closes all but the port. */
  close(): void;
}

export type MakePort = (io: FrameIo, tally: SendTally) => PortUnderTest;

const LENGTHS = [
  0, 1, 13, 14, 15, 59, 60, 64, 1000, 1514, 1518, 2031, 2032, 2033, 2036, 9014, 10_223, 10_224, 10_225,
  40_000, 65_507, 65_535,
];
const BURST = 300;

interface Bench extends PortUnderTest {
  readonly pool: FramePool;
  readonly tally: SendTally;
  /** Sends one frame and gives back the reference, as an engine does. */
  send(frame: Frame): PooledFrame;
  /** Frames that reach the port until `count` of ours came, or nothing more does. */
  take(count: number, limit?: number): Uint8Array[];
}

function withPort(kind: 'io_uring' | 'calls', make: MakePort, body: (bench: Bench) => void): void {
  const pool = new FramePool();
  const io = new FrameIo(pool, kind);
  const tally = newTally();
  const made = make(io, tally);
  const polls = new PollSet(1);
  polls.add(made.port.fd, POLLIN);
  try {
    body({
      ...made,
      pool,
      tally,
      send(frame) {
        const pooled = pool.copyOf(frame);
        made.port.send(pooled);
        pool.release(pooled);
        return pooled;
      },
      take(count, limit = 64) {
        const seen: Uint8Array[] = [];
        while (seen.length < count && polls.wait(200e6) > 0) {
          const n = made.port.receive(limit, (frame) => {
            const bytes = bytesOf(frame).slice();
            if (isOurs(bytes)) seen.push(new Uint8Array(bytes));
            pool.release(frame);
          });
          assert.ok(n <= limit, `${n} frames at a limit of ${limit}`);
          if (n < 0) break;
        }
        return seen;
      },
    });
  } finally {
    made.port.close();
    made.close();
    io.close();
  }
}

/** Three wire packets of 1000 bytes of TCP payload, checksum pending. */
function superFrame(): Frame {
  const b = testFrame(54 + 3000, 7);
  const header = [
    0x08,
    0x00,
    0x45,
    0,
    (3040 >> 8) & 0xff,
    3040 & 0xff,
    0,
    1,
    0x40,
    0,
    64,
    6,
    0,
    0,
    10,
    0,
    0,
    1,
    10,
    0,
    0,
    2,
    0x0f,
    0xa0,
    0x13,
    0x88,
    0,
    0,
    0,
    1,
    0,
    0,
    0,
    1,
    0x50,
    0x10,
    1,
    0xf6,
    0,
    0,
    0,
    0,
  ];
  b.set(header, 12);
  let sum = 0;
  for (let i = 14; i < 34; i += 2) sum += (b[i]! << 8) | b[i + 1]!;
  sum = 0xffff & ~((sum & 0xffff) + (sum >> 16));
  b[24] = sum >> 8;
  b[25] = sum & 0xff;
  const offload = {
    flags: CSUM_NEEDED,
    gsoType: GSO_TCPV4,
    hdrLen: 54,
    gsoSize: 1000,
    csumStart: 34,
    csumOffset: 16,
  };
  return { data: b, start: 0, length: b.length, offload };
}

function descriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

/** Registers the suite's tests for one kind of port. @param lack why it cannot be made here, or null */
export function compliance(test: Suite, what: string, lack: string | null, make: MakePort): void {
  for (const kind of ['io_uring', 'calls'] as const) {
    const name = `${what} with ${kind}`;
    const cannot = lack ?? (kind === 'io_uring' ? lackOfRing() : null);
    const check = (title: string, body: (bench: Bench) => void): void => {
      test.when(cannot, `${name}: ${title}`, () => withPort(kind, make, body));
    };

    check(
      'frames of every length arrive as they were sent, or are counted',
      ({ port, far, send, tally, carries }) => {
        for (const length of LENGTHS) {
          const before = { ...tally };
          const frame = testFrame(length);
          send(frameOf(frame));
          port.flush();
          const went = tally.framesOut - before.framesOut;
          const refused =
            tally.busy + tally.tooLong + tally.gone - (before.busy + before.tooLong + before.gone);
          assert.is(went + refused, 1, `${length} bytes are counted once`);
          if (length >= carries.fromBytes && length <= carries.toBytes)
            assert.is(went, 1, `${length} bytes pass`);
          if (went === 1) {
            assert.equal(far.receiveOurs(1)[0]?.bytes, frame, `${length} bytes`);
            assert.is(tally.bytesOut - before.bytesOut, length);
          }
        }
      },
    );

    check('frames of every length come in as they are', ({ far, take, carries }) => {
      for (const length of LENGTHS) {
        const frame = testFrame(length);
        const sent = far.send(frame);
        if (length >= carries.fromBytes && length <= carries.toBytes)
          assert.ok(sent, `${length} bytes can be sent`);
        if (sent) assert.equal(take(1)[0], frame, `${length} bytes`);
      }
    });

    check(
      'a burst longer than any batch goes out in order, in one flush',
      ({ port, far, send, tally, pool }) => {
        const bytes = pool.bytes;
        const frames = Array.from({ length: BURST }, (_, i) => send(frameOf(testFrame(60 + (i % 700), i))));
        port.flush();
        assert.is(tally.framesOut, BURST);
        assert.ok(
          frames.every((f) => f.refs === 0),
          'every frame was given back',
        );
        const seen = far.receiveOurs(BURST).map((s) => seedOf(s.bytes));
        assert.equal(
          seen,
          Array.from({ length: BURST }, (_, i) => i),
        );
        assert.ok(pool.bytes <= bytes + 2 ** 21, 'the pool holds what was in flight and no more');
      },
    );

    check('a frame is the port’s until the flush, and only read', ({ port, far, pool, tally }) => {
      const frame = pool.copyOf(frameOf(testFrame(100)));
      port.send(frame);
      port.send(frame);
      assert.is(tally.framesOut, 0, 'nothing is counted before');
      assert.is(frame.refs, 3);
      port.flush();
      assert.is(frame.refs, 1);
      assert.is(tally.framesOut, 2);
      assert.equal(bytesOf(frame), Buffer.from(testFrame(100)));
      assert.is(far.receiveOurs(2).length, 2);
      pool.release(frame);
    });

    check('a burst comes in in order, never more than the limit at once', ({ far, take, pool }) => {
      for (let i = 0; i < BURST; i++) assert.ok(far.send(testFrame(60 + (i % 700), i)));
      const first = take(BURST - 250, 7);
      const rest = take(BURST - first.length);
      assert.equal(
        [...first, ...rest].map(seedOf),
        Array.from({ length: BURST }, (_, i) => i),
      );
      const { bytes } = pool;
      for (let i = 0; i < BURST; i++) far.send(testFrame(60, i));
      take(BURST);
      assert.is(pool.bytes, bytes, 'the second burst lives in the first one’s slots');
    });

    check('large and small frames mixed keep their bytes', ({ far, take, carries }) => {
      const lengths = [
        60,
        9000,
        61,
        Math.min(carries.toBytes, 30_000),
        2033,
        62,
        Math.min(carries.toBytes, 20_000),
        63,
      ];
      const frames = lengths.map((length, i) => testFrame(length, i));
      for (const frame of frames) assert.ok(far.send(frame));
      assert.equal(take(frames.length), frames);
    });

    check(
      'a super-frame passes whole, or as the wire packets it stands for',
      ({ port, far, send, superFrames, tally }) => {
        const frame = superFrame();
        send(frame);
        port.flush();
        if (superFrames) {
          const [seen] = far.receiveOurs(1);
          assert.equal(seen?.bytes, frame.data);
          assert.is(seen?.header[1], GSO_TCPV4);
          assert.is(tally.framesOut, 1);
        } else {
          const seen = far.receiveOurs(packetsOf(frame)).map((s) => s.bytes);
          assert.equal(
            seen,
            toWirePackets(frame).map((b) => new Uint8Array(b)),
          );
          assert.is(tally.framesOut, 3);
        }
      },
    );

    check(
      'what an interface refuses for the time being is counted as busy, and nothing blocks',
      ({ port, send, tally, jam }) => {
        if (jam === undefined) return;
        jam();
        for (let i = 0; i < 2000; i++) send(frameOf(testFrame(1400, i)));
        port.flush();
        assert.ok(tally.busy > 0, JSON.stringify(tally));
        assert.is(tally.framesOut + tally.busy, 2000);
      },
    );

    check('a port that vanishes says so and takes what is sent to it', ({ port, send, tally, vanish }) => {
      if (vanish === undefined) return;
      vanish();
      send(frameOf(testFrame(100)));
      port.flush();
      assert.is(tally.framesOut, 0);
      assert.is(tally.busy + tally.gone, 1);
      assert.is(
        port.receive(64, () => assert.unreachable()),
        -1,
      );
    });

    test.when(cannot, `${name}: closing leaves no descriptor`, () => {
      withPort(kind, make, () => {});
      const before = descriptors();
      for (let i = 0; i < 3; i++) withPort(kind, make, ({ send }) => void send(frameOf(testFrame(60))));
      assert.is(descriptors(), before);
    });
  }
}

let ringLack: string | null | undefined;

function lackOfRing(): string | null {
  if (ringLack === undefined) {
    const batch = openIoBatch(8);
    ringLack = batch.kind === 'io_uring' ? null : 'this kernel or sandbox forbids io_uring';
    batch.close();
  }
  return ringLack;
}
