/**
 * longhaul as a library: one short move over 10 km, and what the clients saw of it.
 * Run it with `node dist/examples/library.js`.
 */
import { experimentFrom, runExperiment } from '../src/index.js';

const experiment = experimentFrom({
  seed: 7,
  fiber: { distance: '10km' },
  guest: { memory: '16MiB', dirty: 'uniform:5MB/s' },
});

const result = await runExperiment(experiment, {
  signal: AbortSignal.timeout(60_000),
  onEvent: (event) => {
    if (event.type === 'round') console.error(`round ${event.round}: ${event.pagesSent} pages`);
  },
});

for (const move of result.migrations) {
  const lost = move.clients.reduce((sum, c) => sum + c.lost, 0);
  console.log(
    `${move.outcome}: pause ${(move.pauseNs ?? 0) / 1e6} ms, identical ${move.memoryIdentical}, ${lost} answers lost`,
  );
}
