/**
 * A worker file as the host would write it, with the smallest of stacks: a frame is `{port u16, payload}`, and
 * the answer goes back as it is. Port 0 is echoed.
 */
import { workerData } from 'node:worker_threads';
import { type Frame, NO_OFFLOAD } from '../../../src/core/index.js';
import type { NetStack } from '../../../src/guest/index.js';
import { guestLoopOptions, runGuestLoop } from '../../../src/guest/memory/index.js';

const answer = new Uint8Array(2048);
const payload = new Uint8Array(answer.buffer, 2);

const stack: NetStack = {
  receive(_nowNs, frame, send, onUdp) {
    const port = (frame.data[frame.start]! << 8) | frame.data[frame.start + 1]!;
    if (port === 0) {
      send(frame);
      return;
    }
    const length = onUdp(port, frame.data, frame.start + 2, frame.length - 2, payload);
    answer[0] = frame.data[frame.start]!;
    answer[1] = frame.data[frame.start + 1]!;
    if (length > 0) send({ data: answer, start: 0, length: length + 2, offload: NO_OFFLOAD });
  },
};

/** Turns away injected frames that begin with 0xff, as a filter of copies already seen would. */
const acceptFrame = (frame: Frame, origin: string): boolean =>
  origin === 'nic' || frame.data[frame.start + 2] !== 0xff;

runGuestLoop({ ...guestLoopOptions(workerData), stack, acceptFrame });
