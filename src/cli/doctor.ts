/** `longhaul doctor`: what this machine offers, and what each lack costs. Pure text; the lab probes. */
import type { Probe } from '../lab/probe.js';
import { paint, wrap } from '../report/index.js';

const WIDTH = 100;

/**
 * One line a probe, and under one that failed its cost and remedy:
 *
 *   yes  tap          /dev/net/tun opens
 *   no   raw-socket   not built
 *          costs  the RTT is measured on a bridge port
 *          mend   npm rebuild raw-socket
 */
export function doctorText(probes: readonly Probe[], colour = false): string {
  const p = paint(colour);
  const nameWidth = Math.max(0, ...probes.map((probe) => probe.name.length));
  const lines = probes.flatMap((probe) => {
    const mark = probe.ok ? p.green('yes') : p.yellow('no ');
    const [first, ...rest] = wrap(probe.detail, WIDTH, `  ...  ${probe.name.padEnd(nameWidth)}  `);
    const head = [first!.replace('...', mark), ...rest];
    if (probe.ok) return head;
    const remedy = probe.remedy === undefined ? [] : wrap(probe.remedy, WIDTH, '         mend   ');
    return [...head, ...wrap(probe.cost, WIDTH, '         costs  '), ...remedy];
  });
  const lacks = probes.filter((probe) => !probe.ok).length;
  const verdict =
    lacks === 0 ? 'nothing is missing' : `${lacks} of ${probes.length} missing; see what each costs`;
  return [p.bold('What this machine offers'), ...lines, '', verdict].join('\n');
}
