/** The thread of a real machine, with the filter that lets a frame through once which reaches it twice in a move. */
import { workerData } from 'node:worker_threads';
import { bytesOf } from '../core/index.js';
import { type PcWorkerData, runPcLoop } from '../guest/pc/index.js';
import { nameThread, nowNs } from '../sys/index.js';
import { DuplicateFilter } from '../vmotion-protocol/index.js';

nameThread('guest');
const filter = new DuplicateFilter();

await runPcLoop({
  ...(workerData as PcWorkerData),
  acceptFrame: (frame, origin) =>
    filter.accept(nowNs(), origin === 'nic' ? 'flooded' : 'forwarded', bytesOf(frame)),
});
