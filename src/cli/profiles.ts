/** `longhaul profiles [FIBER.yaml]`: the fibers by name, or the user's own, with where their figures come from. */
import { formatBps, formatNs } from '../core/index.js';
import { describeFiber, PROFILES, resolveFiber } from '../fiber/index.js';
import { readProfile } from '../lab/config/fiber-keys.js';
import { laneConfigOf, timelineConfigOf } from '../lab/config/lane-schema.js';
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

/** The user's own fiber, as it is understood. @throws ConfigError with file, line and key */
export function profileFileText(file: string, colour = false): string {
  const p = paint(colour);
  const { profile, description, source, timeline } = readProfile(file);
  const changes = timeline.reduce((sum, track) => sum + track.entries.length, 0);
  return [
    p.bold(profile.name),
    ...describeFiber(resolveFiber({ profile })).flatMap((line) => wrap(line, WIDTH, '  ')),
    ...(changes > 0 ? [`  ${changes} change${changes === 1 ? '' : 's'} while it runs`] : []),
    ...(description ? wrap(description, WIDTH, '  ') : []),
    ...(source ? wrap(source, WIDTH, '  source: ').map(p.dim) : []),
  ].join('\n');
}

/** The same for programs: every span and direction resolved, as a result keeps them. */
export function profileFileJson(file: string): unknown {
  const { profile, description, source, timeline } = readProfile(file);
  const { spans } = resolveFiber({ profile });
  return {
    name: profile.name,
    description,
    source,
    spans: spans.map(({ aToB, bToA }) => ({ aToB: laneConfigOf(aToB), bToA: laneConfigOf(bToA) })),
    timeline: timelineConfigOf(timeline),
  };
}
