/**
 * `longhaul replay FILE`: what was typed as the replay's options, and what came of it as text or JSON.
 *
 *   exit 0   everything that was to be sent was sent, whatever the fiber then lost
 *   exit 1   a socket refused frames, or the fabric failed
 */

import type { CaptureReader } from '../capture/files/index.js';
import { describeRecording } from '../capture/index.js';
import { ConfigError, formatNs, parseDuration } from '../core/index.js';
import type { RecordingOptions } from '../fabric/index.js';
import { parseExperiment } from '../lab/config/experiment-file.js';
import { fiberSettingsOf, fiberTimelineOf } from '../lab/config/resolve-experiment.js';
import {
  type DirectionResult,
  type Distribution,
  parseIpRule,
  parseMacRule,
  parsePace,
  parseTarget,
  parseVlanRule,
  type ReplayHooks,
  type ReplayOptions,
  type ReplayResult,
} from '../replay/index.js';
import { formatTable, paint } from '../report/index.js';
import { captureOf } from './capture-options.js';
import { EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK } from './exit-codes.js';
import { overridesOf } from './options.js';
import { wholeNumber } from './whole-number.js';

/** commander's options. */
export interface ReplayTyped {
  readonly pace?: string;
  readonly loop?: string;
  readonly uniqueAddresses?: boolean;
  readonly to?: string;
  readonly from?: string;
  readonly sideA?: readonly string[];
  readonly rewriteMac?: readonly string[];
  readonly rewriteIp?: readonly string[];
  readonly rewriteVlan?: readonly string[];
  readonly interface?: string;
  readonly mtu?: string;
  readonly patience?: string;
  readonly tolerant?: boolean;
  readonly outCapture?: string;
  readonly json?: boolean;
  readonly [fiberOption: string]: unknown;
}

/** What the command needs of the process; tests give their own. */
export interface ReplayContext {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
  readonly colour: boolean;
  readonly signal: AbortSignal;
  readonly openCapture: (path: string, options: { tolerant: boolean }) => Promise<CaptureReader>;
  readonly replay: (options: ReplayOptions, hooks: ReplayHooks) => Promise<ReplayResult>;
}

const PATIENCE = { min: 1e6, max: 60e9, text: '1ms..60s' };
const DEFAULT_MTU = 1500;
/** A pacing error (p99) that is worth a word on what would mend it. */
const LATE_NS = 50_000;

/** What was typed, checked. @throws ConfigError */
export function replayOptions(
  file: string,
  typed: ReplayTyped,
  openCapture: ReplayContext['openCapture'],
): ReplayOptions {
  const experiment = parseExperiment(null, overridesOf(typed));
  const { from, patience } = typed;
  if (from !== undefined && from !== 'a' && from !== 'b') {
    throw new ConfigError('REPLAY_OPTIONS', `--from ${JSON.stringify(from)} is no site`, {
      hint: 'write a or b',
    });
  }
  return {
    file,
    open: () => openCapture(file, { tolerant: typed.tolerant ?? false }),
    target: parseTarget(typed.to ?? 'fabric'),
    pace: parsePace(typed.pace ?? 'captured'),
    loops: typed.loop === undefined ? 1 : wholeNumber(typed.loop, '--loop'),
    mtu: typed.mtu === undefined ? DEFAULT_MTU : wholeNumber(typed.mtu, '--mtu'),
    rewrite: {
      macs: new Map((typed.rewriteMac ?? []).map(parseMacRule)),
      ips: (typed.rewriteIp ?? []).map(parseIpRule),
      vlans: (typed.rewriteVlan ?? []).map(parseVlanRule),
      perLoop: typed.uniqueAddresses ?? false,
    },
    sideA: typed.sideA ?? [],
    from: from ?? null,
    interfaceName: typed.interface ?? null,
    fabric: {
      fiber: fiberSettingsOf(experiment),
      timeline: fiberTimelineOf(experiment),
      qos: 'none',
      spin: experiment.spin,
      seed: String(experiment.seed),
    },
    patienceNs: patience === undefined ? 1e9 : parseDuration(patience, '--patience', PATIENCE),
    outCapture: typed.outCapture ?? null,
  };
}

/** Records the fabric from when it stands until all has arrived. */
function recordingHooks(
  capture: RecordingOptions,
  file: string,
  seed: string,
  note: (text: string) => unknown,
): Pick<ReplayHooks, 'onStage' | 'onSettled'> {
  return {
    onStage: ({ fabric }) =>
      fabric.record({ ...capture, comments: [`longhaul replay ${file}, seed ${seed}`] }, (text) =>
        note(`the recording ended early: ${text}`),
      ),
    onSettled: async ({ fabric }) => {
      const report = await fabric.stopRecording();
      if (report !== null) note(describeRecording(report));
    },
  };
}

/** @returns the exit code @throws ConfigError, EnvironmentError */
export async function replayCommand(
  file: string,
  typed: ReplayTyped,
  context: ReplayContext,
): Promise<number> {
  const options = replayOptions(file, typed, context.openCapture);
  const capture = captureOf(typed);
  if (capture !== undefined && options.target.kind !== 'fabric') {
    throw new ConfigError('REPLAY_OPTIONS', '--capture needs a replay through the fabric', {
      hint: 'elsewhere nothing is known of what arrives',
    });
  }
  const note = (text: string): unknown => context.stderr.write(`${text}\n`);
  const result = await context.replay(options, {
    signal: context.signal,
    ...(capture === undefined ? {} : recordingHooks(capture, file, options.fabric.seed, note)),
    onNote: (text) => context.stderr.write(`${text}\n`),
  });
  const text = typed.json === true ? JSON.stringify(result) : replayText(result, context.colour);
  context.stdout.write(`${text}\n`);
  if (context.signal.aborted) return EXIT_INTERRUPTED;
  const refused = result.directions['a-b'].refused + result.directions['b-a'].refused;
  return refused > 0 ? EXIT_FAILED : EXIT_OK;
}

/** The result for people. */
export function replayText(r: ReplayResult, colour = false): string {
  const p = paint(colour);
  const loops = r.loops > 1 ? `, ${r.loops} loops` : '';
  const lines = [
    p.bold(`${r.file} ${r.target}, ${r.pace}${loops}`),
    ...r.fiber.map((line) => `  ${line}`),
    `  site A  ${listed(r.sides.a)}`,
    `  site B  ${listed(r.sides.b)}`,
    '',
    ...directionTable(r),
    '',
    `  pacing error  ${spread(r.pacingErrorNs)}, drift ${formatNs(r.driftNs)} in ${formatNs(r.durationNs)}`,
  ];
  if (r.lateness !== null) {
    const { p50Ns, p99Ns, maxNs } = r.lateness;
    lines.push(
      `  the fabric released p50 ${formatNs(p50Ns)}, p99 ${formatNs(p99Ns)}, at most ${formatNs(maxNs)} late`,
    );
  }
  for (const direction of ['a-b', 'b-a'] as const) {
    for (const [reason, n] of Object.entries(r.directions[direction].lostBy)) {
      lines.push(p.yellow(`  ${direction}: ${n} lost, ${reason}`));
    }
  }
  for (const text of remarks(r)) lines.push(p.yellow(`  ${text}`));
  return lines.join('\n');
}

function directionTable(r: ReplayResult): string[] {
  const columns = ['direction', 'sent', 'delivered', 'lost', 'reordered', 'duplicated', 'one way'].map(
    (title, i) => ({
      title,
      align: i > 0 && i < 6 ? ('right' as const) : ('left' as const),
    }),
  );
  const row = (name: 'a-b' | 'b-a'): string[] => {
    const d: DirectionResult = r.directions[name];
    const n = (value: number | null): string => (value === null ? '–' : String(value));
    const oneWay = d.oneWayNs === null || d.oneWayNs.count === 0 ? '–' : spread(d.oneWayNs);
    return [name, n(d.sent), n(d.delivered), n(d.lost), n(d.reordered), n(d.duplicated), oneWay];
  };
  return formatTable(columns, [row('a-b'), row('b-a')]);
}

/** What of the capture was not sent as it stands there, and what was wrong with the sending. */
function remarks(r: ReplayResult): string[] {
  const said: readonly (readonly [number, string])[] = [
    [r.cut, `packets above the MTU cut into ${r.segments} segments`],
    [r.aboveMtu, 'packets above the MTU not sent: nothing says how a card would cut them; raise --mtu'],
    [r.truncated, 'packets cut short by the capture, filled up with zeros'],
    [r.sameSide, 'packets not sent: both ends are at one site'],
    [r.otherSide, 'packets not sent: they leave the other site'],
    [r.noFrame, 'packets not sent: neither a frame nor IP'],
    [r.backwards, 'packets stamped before one ahead of them, sent together with it'],
    [r.starved, 'times the file was not read fast enough'],
    [r.arrivedNotKept, 'frames that arrived are not in the capture of them'],
  ];
  const lines = said.flatMap(([n, text]) => (n > 0 ? [`${n} ${text}`] : []));
  const { count, p99 } = r.pacingErrorNs;
  if (count > 0 && p99 > LATE_NS && r.realTimeShare < 0.5)
    lines.push(
      'packets left late: the sender is not of the real-time class here, which takes root or CAP_SYS_NICE',
    );
  return lines;
}

function spread({ count, p50, p99, max }: Distribution): string {
  return count === 0 ? 'none' : `p50 ${formatNs(p50)}, p99 ${formatNs(p99)}, at most ${formatNs(max)}`;
}

function listed(addresses: readonly string[]): string {
  const shown = addresses.slice(0, 4).join(', ');
  return addresses.length > 4 ? `${shown}, … (${addresses.length})` : shown || 'nobody';
}
