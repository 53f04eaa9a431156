/**
 * Moves over our own UDP transport, with packets lost on the fiber: every mode, over the kernel's UDP and over our own
 * end stations. Memory must be identical and what the transport says of itself must fit what the fiber did to it.
 */
import * as assert from 'uvu/assert';
import { messageOf } from '../../src/core/index.js';
import { canCatchFaults } from '../../src/host/index.js';
import { tryNetns } from '../../src/lab/attach.js';
import { experimentFrom } from '../../src/lab/config/experiment-file.js';
import type { ExperimentInput } from '../../src/lab/config/experiment-keys.js';
import { parseResult, type RunResult } from '../../src/lab/result.js';
import { runExperiment } from '../../src/lab/run.js';
import type { Suite } from '../suite.js';
import { children } from './children.js';

export function netnsLack(): string | null {
  try {
    tryNetns();
    return null;
  } catch (e) {
    return `no network namespaces here: ${messageOf(e)}`;
  }
}

const missingLack = canCatchFaults() ? null : 'no userfaultfd here';

export async function run(input: ExperimentInput): Promise<RunResult> {
  const small: ExperimentInput = {
    seed: 11,
    guest: { memory: '8MiB', dirty: 'uniform:10MB/s', 'hot-set': '4MiB' },
    probe: { count: 10 },
    clients: [{ site: 'a', icmp: 'none', service: '5ms' }],
  };
  const hooks = { onEvent: () => {}, signal: new AbortController().signal };
  const result = await runExperiment(experimentFrom({ ...small, ...input }), hooks);
  assert.equal(children(), [], 'every child has ended');
  parseResult(JSON.parse(JSON.stringify(result)), 'the result');
  return result;
}

export const quick = { 'start-after': '100ms', between: '50ms' } as const;

/** Registers a move for each mode. */
export function lossyMoves(test: Suite, attach: 'netns' | 'loopback'): void {
  const lack = attach === 'netns' ? netnsLack() : null;

  for (const mode of ['precopy', 'hybrid', 'postcopy'] as const) {
    test.when(
      lack ?? (mode === 'precopy' ? null : missingLack),
      `${attach}, ${mode}: one packet in a hundred lost, memory identical`,
      async () => {
        const result = await run({
          attach,
          fiber: { loss: '1%' },
          migration: { ...quick, transport: 'udp', mode },
        });
        const m = result.migrations[0]!;
        assert.is(m.outcome, 'completed', JSON.stringify(m.reason));
        assert.is(m.memoryIdentical, true);
        assert.is(m.mode, mode);
        const t = m.transport!;
        assert.equal([t.name, t.congestion, t.streams], ['udp', 'bbr', 1]);
        assert.ok(t.bytesResent + t.pagesSuperseded > 0, 'what was lost was sent again');
        assert.ok(t.seenLossProb < 0.5, `${t.seenLossProb}: not everything was taken for lost`);
        assert.ok(t.paritySent > 0, 'the last flight was protected');
        assert.ok(t.rttMinNs > 0);
        for (const c of m.clients) assert.is(c.wrong + c.resets, 0);
        const p = m.postcopy;
        if (mode === 'postcopy') assert.ok(p!.pagesMissing >= 2048 - 16);
        if (p !== null) assert.is(p.pagesDemanded + p.pagesPushed, p.pagesMissing, 'each page was sent once');
        assert.is(result.fabric?.closes, true);
        const { framesIn, packetsIn } = result.fabric!.fiber.aToB;
        if (attach === 'netns' && mode === 'precopy')
          assert.ok(
            packetsIn > 3 * framesIn,
            `${framesIn} super-frames of ${packetsIn} packets: UDP is segmented late`,
          );
      },
    );
  }
}
