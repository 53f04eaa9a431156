/**
 * How a run is watched, always on stderr so that stdout stays free for the result.
 *
 *   terminal     lines for what is done, and under them one live bar: phase, round, pages, rate, ETA
 *   no terminal  the same lines; no bar, and nothing more than a line per phase, round or move
 *   quiet        only what must not be missed: notes and kept sites
 */
import { SingleBar } from 'cli-progress';
import { formatBps, formatBytes, formatNs } from '../core/index.js';
import type { KeptSite, Phase, RunEvent } from '../lab/run-events.js';

export interface Progress {
  onEvent(event: RunEvent): void;
  /** Takes the bar away; lines stay. Safe to call twice. */
  stop(): void;
}

export interface ProgressOptions {
  /** Draw a live bar; the stream must be a terminal. */
  readonly live: boolean;
  /** Leave out everything but notes and kept sites. */
  readonly quiet: boolean;
}

export function startProgress(stream: NodeJS.WriteStream, options: ProgressOptions): Progress {
  if (options.live && !options.quiet) return new BarProgress(stream);
  return {
    onEvent: (event) => {
      for (const line of linesOf(event, options.quiet)) stream.write(`${line}\n`);
    },
    stop: () => {},
  };
}

const PHASE_TEXT: Readonly<Record<Phase, string>> = {
  setup: 'setting up both sites',
  probe: 'measuring the round trip',
  offer: 'offering the guest',
  'pre-copy': 'copying memory while the guest runs',
  switchover: 'switching over',
  verify: 'comparing memory page by page',
  done: '',
};

/** The lines an event is worth; most page events are worth none. Pure. */
export function linesOf(event: RunEvent, quiet = false): string[] {
  switch (event.type) {
    case 'attach':
      return [`attach ${event.attach}: ${event.why}`];
    case 'note':
      return [`note: ${event.text}`];
    case 'in-doubt':
      return [`move ${event.migration + 1} in doubt: ${event.text}`];
    case 'kept':
      return keptLines(event.sites);
  }
  if (quiet) return [];
  switch (event.type) {
    case 'phase': {
      const text = PHASE_TEXT[event.phase];
      if (text === '') return [];
      return [event.phase === 'setup' || event.phase === 'probe' ? text : `${moveName(event)} ${text}`];
    }
    case 'rtt':
      return [
        `round trip p50 ${formatNs(event.rtt.p50Ns)}, p99 ${formatNs(event.rtt.p99Ns)}, ${event.rtt.count} probes`,
      ];
    case 'round':
      return [
        `move ${event.migration + 1} round ${event.round}: ${event.pagesSent} of ${event.pagesTotal} pages, ` +
          `${formatBytes(event.bytes)} at ${formatBps(event.throughputBps)}` +
          `${predictionText(event.predictedPauseNs, event.confidence)}${etaText(event.etaNs)}` +
          `${event.verdict === null ? '' : `; ${event.verdict}`}`,
      ];
    case 'migration': {
      const { result: m } = event;
      const paused = m.pauseNs === null ? '' : `, pause ${formatNs(m.pauseNs)}`;
      const why = m.reason === null ? '' : `: ${m.reason.text}`;
      return [
        `move ${event.migration + 1} of ${event.of} (${m.from}→${m.to}) ${m.outcome} after ${formatNs(m.totalNs)}${paused}${why}`,
      ];
    }
    case 'clean-up':
      return ['cleaning up'];
    case 'pages':
      return [];
  }
}

function moveName(event: { migration: number; from: string; to: string }): string {
  return `move ${event.migration + 1} (${event.from}→${event.to})`;
}

function predictionText(pauseNs: number, confidence: number | null): string {
  if (!Number.isFinite(pauseNs)) return '';
  const trust = confidence === null ? '' : ` (confidence ${Math.round(confidence * 100)} %)`;
  return `, pause would be ${formatNs(pauseNs)}${trust}`;
}

function etaText(etaNs: number): string {
  if (!Number.isFinite(etaNs)) return ', target not in sight';
  return etaNs > 0 ? `, ETA ${formatNs(etaNs)}` : '';
}

function keptLines(sites: readonly KeptSite[]): string[] {
  return [
    'both sites stand until Ctrl-C:',
    ...sites.flatMap((s) => [`  site ${s.site}  ${s.ip}  ${s.namespace}`, `    try: ${s.example}`]),
  ];
}

const BAR = '{what}  {bar} {percentage}%  {value}/{total} pages  {rate}{eta}';

/** One bar under the lines: it steps aside for a line and comes back with the next pages. */
class BarProgress implements Progress {
  readonly #stream: NodeJS.WriteStream;
  readonly #bar: SingleBar;
  #what = '';
  #eta = '';

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
    this.#bar = new SingleBar({
      stream,
      format: BAR,
      barsize: 12,
      barCompleteChar: '█',
      barIncompleteChar: '░',
      hideCursor: true,
      clearOnComplete: true,
      gracefulExit: false, // the run cleans up on SIGINT; the bar must not exit the process
      emptyOnZero: true,
      fps: 10,
    });
  }

  onEvent(event: RunEvent): void {
    if (event.type === 'pages') {
      const rate = formatBps(event.rateBps);
      const payload = { what: `${this.#what} round ${event.round}`, rate, eta: this.#eta };
      if (this.#bar.isActive) {
        this.#bar.setTotal(event.pagesTotal);
        this.#bar.update(event.pagesSent, payload);
      } else this.#bar.start(event.pagesTotal, event.pagesSent, payload);
      return;
    }
    if (event.type === 'phase') this.#what = `move ${event.migration + 1} ${event.phase}`;
    this.#eta = event.type === 'round' ? etaText(event.etaNs) : event.type === 'migration' ? '' : this.#eta;
    const lines = linesOf(event);
    if (lines.length === 0) return;
    this.stop();
    this.#stream.write(`${lines.join('\n')}\n`);
  }

  stop(): void {
    if (this.#bar.isActive) this.#bar.stop();
  }
}
