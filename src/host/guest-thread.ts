/**
 * The guest's thread: its virtual CPU, with the end station of `l2` as its network stack.
 *
 * A unicast frame may reach the destination twice during a move, forwarded by the source and flooded by a bridge:
 * the duplicate filter lets one of them through.
 */
import { workerData } from 'node:worker_threads';
import { bytesOf, frameOf } from '../core/index.js';
import type { NetStack } from '../guest/index.js';
import { type GuestWorkerData, guestLoopOptions, runGuestLoop } from '../guest/memory/index.js';
import { EndStation, type StationAction } from '../l2/index.js';
import { nameThread, nowNs } from '../sys/index.js';
import { DuplicateFilter } from '../vmotion-protocol/index.js';

const GUEST_MTU = 1500;
const RESPONSE_BYTES = 2048;

const data = workerData as GuestWorkerData;
nameThread('guest');
const mac = data.mac.reduce((value, byte) => value * 256 + byte, 0);
const station = new EndStation({ mac, ip: data.ip, mtu: GUEST_MTU });
const actions: StationAction[] = [];
const response = new Uint8Array(RESPONSE_BYTES);

const stack: NetStack = {
  receive(atNs, frame, send, onUdp) {
    station.step(atNs, { type: 'frame-received', bytes: bytesOf(frame) }, actions);
    for (let i = 0; i < actions.length; i++) {
      const action = actions[i]!;
      if (action.type === 'send') {
        send(frameOf(action.bytes));
      } else if (action.type === 'udp-received') {
        const length = onUdp(action.toPort, action.payload, 0, action.payload.length, response);
        if (length === 0) continue;
        const payload = response.subarray(0, length);
        station.step(
          atNs,
          { type: 'udp-requested', to: action.from, fromPort: action.toPort, payload },
          actions,
        );
      }
    }
    actions.length = 0;
  },
};

const filter = new DuplicateFilter();

runGuestLoop({
  ...guestLoopOptions(data),
  stack,
  acceptFrame: (frame, origin) =>
    filter.accept(nowNs(), origin === 'nic' ? 'flooded' : 'forwarded', bytesOf(frame)),
});
