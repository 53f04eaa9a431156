/** The compliance suite over NIO-UDP; a far end that is not there. */
import * as assert from 'uvu/assert';
import { frameOf } from '../../../src/core/index.js';
import { FrameIo, FramePool, NioUdpPort, newTally, openNioUdpPair } from '../../../src/l2/ports/index.js';
import {
  closeFd,
  connectUdp,
  libc,
  localEndpoint,
  NativeStruct,
  openUdp,
  setNonBlocking,
} from '../../../src/sys/index.js';
import { suite } from '../../suite.js';
import { compliance } from './compliance.js';
import { FarEnd, testFrame } from './far-end.js';

const test = suite('l2/ports/nio-udp');
const LOOPBACK = 0x7f000001;
const PLAIN = new Uint8Array(0);
/** The longest UDP payload over IPv4: 65535 - 20 - 8. */
const LONGEST = 65_507;

compliance(test, 'NIO-UDP', null, (io, tally) => {
  const pair = openNioUdpPair(4 * 2 ** 20);
  connectUdp(pair.farFd, { ip: LOOPBACK, port: pair.fabricPort });
  const far = new FarEnd(pair.farFd, PLAIN);
  return {
    port: new NioUdpPort('p', pair.fabricFd, io, tally),
    far,
    carries: { fromBytes: 0, toBytes: LONGEST },
    superFrames: false,
    close: () => far.close(),
  };
});

const AF_UNIX = 1;
const SOCK_DGRAM = 2;

// A local datagram socket knows when its receiver is full; UDP's does not, its kernel drops at the receiver.
for (const kind of ['io_uring', 'calls'] as const) {
  test(`a receiver that stops taking frames is counted as busy, and nothing blocks, with ${kind}`, () => {
    const pool = new FramePool();
    const io = new FrameIo(pool, kind === 'calls' ? kind : undefined);
    const tally = newTally();
    const [near, far] = socketPair();
    const port = new NioUdpPort('p', near, io, tally);
    const frame = pool.copyOf(frameOf(testFrame(1400)));
    for (let i = 0; i < 2000; i++) port.send(frame);
    port.flush();
    assert.ok(tally.framesOut > 0 && tally.busy > 0, JSON.stringify(tally));
    assert.is(tally.framesOut + tally.busy, 2000);
    assert.is(frame.refs, 1);
    closeFd(far);
    port.send(frame);
    port.flush();
    assert.is(tally.gone, 1, 'the receiver has closed');
    port.close();
    io.close();
  });
}

function socketPair(): [number, number] {
  const fds = new NativeStruct(8);
  assert.is(libc.socketpair(AF_UNIX, SOCK_DGRAM, 0, fds.address), 0);
  const ends: [number, number] = [fds.view.getInt32(0, true), fds.view.getInt32(4, true)];
  for (const fd of ends) setNonBlocking(fd);
  return ends;
}

test('frames to a peer that is not there are counted; once it is, all arrive', () => {
  const pool = new FramePool();
  const io = new FrameIo(pool);
  const tally = newTally();
  const fd = openUdp({ ip: LOOPBACK, port: 0 });
  const peer = openUdp({ ip: LOOPBACK, port: 0 });
  const { port: peerPort } = localEndpoint(peer);
  closeFd(peer);
  connectUdp(fd, { ip: LOOPBACK, port: peerPort });
  const port = new NioUdpPort('p', fd, io, tally);
  const frame = pool.copyOf(frameOf(testFrame(60)));
  try {
    for (let i = 0; i < 10; i++) port.send(frame);
    port.flush();
    assert.ok(tally.gone > 0, 'the kernel said that nobody listens');
    assert.is(tally.framesOut + tally.gone, 10);
    assert.is(
      port.receive(8, () => assert.unreachable()),
      0,
      'the port stays',
    );

    const far = new FarEnd(openUdp({ ip: LOOPBACK, port: peerPort }), PLAIN);
    const { framesOut } = tally;
    for (let i = 0; i < 10; i++) port.send(frame);
    port.flush();
    assert.is(tally.framesOut - framesOut, 10);
    assert.is(far.receiveOurs(10).length, 10);
    far.close();
  } finally {
    port.close();
    io.close();
  }
});

test.run();
