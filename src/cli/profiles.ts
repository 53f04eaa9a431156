/** `longhaul profiles`: the fibers by name, with where their figures come from. */
import { formatBps, formatNs } from '../core/index.js';
import { PROFILES } from '../fiber/index.js';
import { paint, wrap } from '../report/index.js';

const WIDTH = 100;

export function profilesText(colour = false): string {
  const p = paint(colour);
  return Object.values(PROFILES)
    .map((f) => {
      const loss = f.lossProb === 0 ? 'no loss' : `loss ${f.lossProb * 100} %`;
      const figures = `${formatNs(f.oneWayNs)} one way, ${formatBps(f.rateBps)}, ${loss}`;
      return [
        `${p.bold(f.name)}  ${figures}`,
        ...wrap(f.description, WIDTH, '  '),
        ...wrap(f.source, WIDTH, '  source: ').map(p.dim),
      ].join('\n');
    })
    .join('\n\n');
}

/** The same for programs; an unlimited rate is `null`, as everywhere in this project's JSON. */
export function profilesJson(): unknown[] {
  return Object.values(PROFILES).map((f) => ({
    ...f,
    rateBps: Number.isFinite(f.rateBps) ? f.rateBps : null,
  }));
}
