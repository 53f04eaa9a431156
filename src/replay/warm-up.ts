/**
 * Code that V8 has not compiled yet sends and takes in some ten times as slowly, and its compilation falls into the
 * first hundred packets. So a sender that is thrown away sends some thousands of its own first, to itself.
 */
import { openNioUdpPair } from '../l2/ports/index.js';
import { closeFd, connectUdp, stampArrivals } from '../sys/index.js';
import { BatchMaker } from './batch.js';
import { frameHash } from './frame-hash.js';
import type { SenderRequest, SenderSettings } from './messages.js';
import { Sender, type SenderPort } from './sender.js';

const FRAMES = 1_500;
const GAP_NS = 120_000;
const FRAME_BYTES = 600;
const BUFFER_BYTES = 1 << 20;
const LOOPBACK = 0x7f000001;

/** Takes some 0.2 s. */
export function warmUp(): void {
  const pair = openNioUdpPair(BUFFER_BYTES);
  try {
    connectUdp(pair.farFd, { ip: LOOPBACK, port: pair.fabricPort });
    stampArrivals(pair.fabricFd);
    const settings: SenderSettings = {
      ends: [
        { fd: pair.farFd, headerBytes: 10 },
        { fd: pair.fabricFd, headerBytes: 10 },
      ],
      arrivals: true,
      pace: { kind: 'captured', factor: 1 },
      patienceNs: 0,
      keepArrived: false,
    };
    new Sender(settings, portOf([frames(), { type: 'last' }])).run();
  } finally {
    closeFd(pair.farFd);
    closeFd(pair.fabricFd);
  }
}

function frames(): SenderRequest {
  const maker = new BatchMaker();
  const frame = new Uint8Array(FRAME_BYTES);
  const view = new DataView(frame.buffer);
  for (let i = 0; i < FRAMES; i++) {
    view.setUint32(0, i);
    maker.add(frame, i * GAP_NS, FRAME_BYTES, frameHash(view, 0, FRAME_BYTES), 'a');
  }
  return { type: 'batch', batch: maker.take() };
}

function portOf(requests: SenderRequest[]): SenderPort {
  return {
    take: () => requests.shift(),
    wait: () => {},
    reply: () => {},
    stopped: false,
    written: 0,
    settled: true,
  };
}
