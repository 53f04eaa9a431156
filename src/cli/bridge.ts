/**
 * `longhaul bridge CONFIG.yaml`: runs the fabric alone until Ctrl-C or SIGTERM, which is how it is meant to end:
 * the exit code is then 0.
 *
 *   terminal     the live picture, drawn every second or --interval; lines for what happens stay above it
 *   no terminal  lines for what happens; with --interval one line of counters each time
 *   --quiet      warnings and what went wrong, nothing else
 */
import { parseDuration } from '../core/index.js';
import type { RecordingOptions } from '../fabric/index.js';
import type { BridgePlan } from '../lab/bridge/file.js';
import type { BridgeEvent, RunningBridge } from '../lab/bridge/run.js';
import type { BridgeStatus } from '../lab/bridge/status.js';
import { paint } from '../report/index.js';
import { periodicLine, statusLines } from './bridge-text.js';
import { captureOf } from './capture-options.js';
import { EXIT_FAILED, EXIT_OK } from './exit-codes.js';
import { LiveLines } from './live-lines.js';
import { coloured } from './run.js';

const INTERVAL = { min: 1e8, max: 3600e9, text: '100ms..1h' };
const DEFAULT_INTERVAL_NS = 1e9;

/** What the command needs of the process; tests give their own. */
export interface BridgeContext {
  readonly stdout: NodeJS.WriteStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted by Ctrl-C, SIGTERM and SIGHUP. */
  readonly signal: AbortSignal;
  readonly startBridge: (
    plan: BridgePlan,
    onEvent: (event: BridgeEvent) => void,
    capture?: RecordingOptions,
  ) => Promise<RunningBridge>;
}

/** commander's options. */
export interface BridgeTyped {
  readonly interval?: string;
  readonly quiet?: boolean;
  readonly capture?: string;
}

/** Reads `--interval`; null when it was not given. @throws ConfigError */
export function intervalOf({ interval }: BridgeTyped): number | null {
  return interval === undefined ? null : parseDuration(interval, '--interval', INTERVAL);
}

/**
 * @returns the exit code: 0 when it was ended from outside, 1 when the fabric itself failed
 * @throws ConfigError, EnvironmentError when it cannot start; nothing is left of it then
 */
export async function bridge(plan: BridgePlan, typed: BridgeTyped, context: BridgeContext): Promise<number> {
  const { stdout, signal } = context;
  const { quiet = false } = typed;
  const intervalNs = intervalOf(typed);
  const capture = captureOf({ ...typed });
  const live = stdout.isTTY === true && !quiet;
  const p = paint(coloured(stdout, context.env));
  const screen = new LiveLines(stdout);
  let failed = false;
  const fail = new AbortController();
  const tell = (event: BridgeEvent): void => {
    if (event.type === 'failed') {
      failed = true;
      fail.abort();
    }
    const worth = event.type !== 'note' && event.type !== 'changed';
    if (quiet && !worth) return;
    const text = event.type === 'warning' ? `warning: ${event.text}` : event.text;
    screen.say(worth ? p.yellow(text) : text);
  };

  const running = await context.startBridge(plan, tell, capture);
  const over = new Promise<void>((resolve) => {
    for (const s of [signal, fail.signal]) {
      if (s.aborted) resolve();
      s.addEventListener('abort', () => resolve(), { once: true });
    }
  });
  let timer: NodeJS.Timeout | undefined;
  try {
    if (!quiet) for (const line of startLines(running)) screen.say(line);
    if (!quiet && (live || intervalNs !== null)) {
      let before: BridgeStatus = await running.status();
      const show = async (): Promise<void> => {
        const status = await running.status();
        if (signal.aborted) return;
        if (live) screen.draw(statusLines(status, before, p));
        else screen.say(periodicLine(status, before));
        before = status;
      };
      timer = setInterval(() => void show().catch(() => {}), (intervalNs ?? DEFAULT_INTERVAL_NS) / 1e6);
    }
    await over;
  } finally {
    clearInterval(timer);
    screen.end();
    await running.stop();
  }
  if (!quiet) screen.say('everything that was made has been removed');
  return failed ? EXIT_FAILED : EXIT_OK;
}

/** Where everything is, and how to get there. */
function startLines(running: RunningBridge): string[] {
  const { plan } = running;
  return [
    `bridge ${plan.name} runs; Ctrl-C ends it`,
    `  control  ${running.control} (longhaul ctl show)`,
    ...(running.metrics === null ? [] : [`  metrics  ${running.metrics}`]),
    ...[...running.enterCommands].map(([netns, enter]) => `  inside ${netns}: ${enter} COMMAND`),
  ];
}
