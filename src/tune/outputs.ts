/** What a search leaves: the tuned experiment that `run` takes, a page that shows the search, and all of it as JSON. */
import { stringify } from 'yaml';
import { formatBytes, formatNs } from '../core/index.js';
import type { Experiment } from '../lab/config/experiment.js';
import type { ExperimentInput } from '../lab/config/experiment-keys.js';
import {
  escapeXml,
  figure,
  htmlTable,
  median,
  type Plot,
  page,
  paint,
  type ScatterPoint,
  scatterPlot,
  spreadPlot,
  tiles,
  wrap,
} from '../report/index.js';
import { type Candidate, candidateName, KEY_NAMES, type Tuned, valueText } from './space.js';
import type { Evaluation } from './trail.js';
import type { TuneEnd } from './tune.js';

export interface TuneStory {
  readonly end: TuneEnd;
  readonly base: Experiment;
  /** As it was typed: fiber and guest. */
  readonly typed: ExperimentInput;
  readonly objective: string;
  readonly evaluations: readonly Evaluation[];
  readonly revision: string;
  readonly machine: string;
  /** Where the costs of simulated hosts come from. */
  readonly costs: string;
  /** The command that was typed. */
  readonly command: string;
}

/** Keys of an experiment file: the fiber and the guest as typed, and the migration as it was found. */
export function tunedInput(typed: ExperimentInput, candidate: Candidate): ExperimentInput {
  const keys = Object.entries(KEY_NAMES).flatMap(([name, key]) =>
    name in candidate ? [[key, valueText(name, candidate[name as keyof Tuned])] as const] : [],
  );
  return { ...typed, migration: Object.fromEntries(keys) as ExperimentInput['migration'] };
}

export function tunedYaml({ end, typed, objective, revision, machine, command }: TuneStory): string {
  const lines = [
    `Tuned for ${objective}: ${end.verdict.text}`,
    `longhaul ${revision} on ${machine}`,
    `made by: ${command}`,
    `used by: npx longhaul run THIS-FILE`,
  ].flatMap((line) => wrap(line, 100, '# ', '#   '));
  return `${lines.join('\n')}\n${stringify(tunedInput(typed, end.verdict.chosen.candidate))}`;
}

/** At most 100 columns. */
export function tuneText({ end, objective }: TuneStory, colour: boolean): string {
  const p = paint(colour);
  const rho = end.prediction.rankCorrelation;
  const rows = end.verified.map(
    (v) =>
      `  ${v.name}: × ${v.ratio.ratio.toFixed(3)} (${v.ratio.low.toFixed(3)}–${v.ratio.high.toFixed(3)}, n ${v.scores.length})`,
  );
  return [
    p.bold(`Tuned for ${objective}`),
    ...wrap(end.verdict.text, 100, '  '),
    p.bold('Verified in turn, as ratios to the default'),
    ...rows,
    p.bold('What mattered, in virtual time'),
    ...end.sensitivity
      .slice(0, 4)
      .map(
        (s) =>
          `  ${s.name}: ${(100 * s.share).toFixed(0)} % of the variance; best ${s.values[0]?.value ?? '–'}`,
      ),
    p.bold('Did simulation foretell it?'),
    rho === null
      ? '  too few candidates could be measured'
      : `  rank correlation ${rho.toFixed(2)} over ${end.prediction.rows.length} candidates from the best to the worst`,
  ].join('\n');
}

/** Everything for programs; null stands for what could not be evaluated. */
export function tuneJson(story: TuneStory): unknown {
  const { end, base, evaluations, ...rest } = story;
  const scored = (list: TuneEnd['coarse']) =>
    list.map((s) => ({
      name: candidateName(s.candidate),
      candidate: s.candidate,
      score: Number.isFinite(s.score) ? s.score : null,
    }));
  return {
    schema: 'longhaul/tune/1',
    ...rest,
    memoryBytes: base.guest.memoryBytes,
    profile: base.fiber.profile,
    verdict: { kind: end.verdict.kind, text: end.verdict.text, candidate: end.verdict.chosen.candidate },
    verified: end.verified,
    prediction: end.prediction,
    sensitivity: end.sensitivity,
    screened: scored(end.screened),
    fine: scored(end.fine),
    coarse: scored(end.coarse),
    evaluations,
  };
}

export function tuneHtml(story: TuneStory): { readonly html: string; readonly plots: readonly Plot[] } {
  const { end, base, objective, revision, machine, costs, command } = story;
  const plots: Plot[] = [];
  const draw = (plot: Plot | null): string => {
    if (plot === null) return '';
    plots.push(plot);
    return figure(plot);
  };
  const rho = end.prediction.rankCorrelation;
  const of = `longhaul ${revision}, ${machine}, seed ${base.seed}`;
  const title = `Tuned for ${objective} on ${base.fiber.profile}`;
  const body = [
    `<h1>${escapeXml(title)}</h1>`,
    `<p class="quiet">${escapeXml(`${of} · ${formatBytes(base.guest.memoryBytes)} of ${base.guest.fill} memory · costs of simulated hosts: ${costs}`)}</p>`,
    `<p><code>${escapeXml(command)}</code></p>`,
    tiles([
      [
        'verdict',
        { gain: 'a gain', 'default-best': 'default holds', undecided: 'undecided' }[end.verdict.kind],
      ],
      ['of the default', `× ${end.verdict.chosen.ratio.ratio.toFixed(3)}`],
      ['candidates simulated', String(end.coarse.length)],
      ['measured', String(end.screened.length)],
      ['rank correlation', rho === null ? '–' : rho.toFixed(2)],
      ['time used', formatNs(end.spentMs * 1e6)],
    ]),
    `<p>${escapeXml(end.verdict.text)}.</p>`,
    '<h2>Verified on real hosts, in turn</h2>',
    draw(
      spreadPlot(
        end.verified.map((v) => ({ name: v.name, values: v.scores, limit: 1 })),
        { title: `${objective}, ratio to the default’s median`, format: (v) => `× ${v.toFixed(2)}` },
        'tune-verified',
        'Every move of the finalists, as ratios to the default',
        `${of}. Small dots: moves; large: their median; bar: p5 to p95; dashed: the default.`,
      ),
    ),
    htmlTable(
      ['candidate', 'ratio', '95 %', 'p', 'moves'].map((t, i) => ({ title: t, numeric: i > 0 })),
      end.verified.map((v) => [
        v.name,
        v.ratio.ratio.toFixed(3),
        `${v.ratio.low.toFixed(3)}–${v.ratio.high.toFixed(3)}`,
        v.p < 0.001 ? '< 0.001' : v.p.toFixed(3),
        String(v.scores.length),
      ]),
    ),
    '<h2>The field</h2>',
    draw(paretoPlot(story, of)),
    '<h2>Which parameter mattered</h2>',
    '<p>Share of the variance of the simulated scores (log) that each parameter alone explains, and the median score of each of its values.</p>',
    htmlTable(
      [
        { title: 'parameter' },
        { title: 'share', numeric: true },
        { title: 'values, best first (ratio to the default)' },
      ],
      end.sensitivity.map((s) => [
        s.name,
        `${(100 * s.share).toFixed(0)} %`,
        s.values.map((v) => `${v.value} × ${v.score.toFixed(2)}`).join(' · '),
      ]),
    ),
    '<h2>Foretold and measured</h2>',
    `<p>Seven candidates from the best to the worst of the coarse stage: ${rho === null ? 'too few could be measured' : `Spearman’s rank correlation ${rho.toFixed(2)}`}.</p>`,
    htmlTable(
      [{ title: 'candidate' }, { title: 'simulated', numeric: true }, { title: 'measured', numeric: true }],
      end.prediction.rows.map((r) => [r.name, `× ${r.predicted.toFixed(2)}`, `× ${r.measured.toFixed(2)}`]),
    ),
    '<h2>Screened on real hosts</h2>',
    htmlTable(
      [{ title: 'candidate' }, { title: 'of the default', numeric: true }],
      end.screened.map((s) => [
        candidateName(s.candidate),
        Number.isFinite(s.score) ? `× ${s.score.toFixed(3)}` : 'failed',
      ]),
    ),
    '<footer>All evaluations stand in trail.ndjson, the measured runs in cells/ (longhaul report draws them).</footer>',
  ];
  return { html: page(title, body.join('\n')), plots };
}

function paretoPlot({ end, evaluations }: TuneStory, of: string): Plot | null {
  const chosen = end.verdict.chosen.name;
  const pointOf = (e: Evaluation, kind: number): ScatterPoint[] => {
    if (e.figures === null || e.figures.pause.length === 0) return [];
    const name = candidateName(e.candidate);
    const isNamed = kind === 1 && (name === 'default' || name === chosen);
    return [{ name, x: median(e.figures.total), y: median(e.figures.pause), kind, isNamed }];
  };
  const points = evaluations.flatMap((e) =>
    e.stage === 'fine' ? pointOf(e, 0) : e.stage === 'screen' ? pointOf(e, 1) : [],
  );
  return scatterPlot(
    points,
    ['simulated', 'measured'],
    {
      x: { title: 'from the offer until all memory is there', format: formatNs },
      y: { title: 'pause and what the guest then waited', format: formatNs },
    },
    'tune-pareto',
    'Pause against total time, and the front that none beats in both',
    `${of}. Simulated: two moves each; measured: three after two to warm up. Medians.`,
  );
}
