/**
 * What a result says of the experiment, judged line by line.
 *
 *   pass   as it should be
 *   miss   a target not met: the figure stands, the experiment is valid
 *   fail   the experiment failed: a move not completed, memory not identical, a wrong answer, or
 *          accounting that does not close; `longhaul run` exits with 1
 */
import { formatNs } from '../core/index.js';
import type { ClientResult, RunResult } from '../lab/result.js';
import { median } from './quantile.js';

export interface Verdict {
  readonly level: 'pass' | 'miss' | 'fail';
  readonly text: string;
}

export function verdictsOf(result: RunResult): Verdict[] {
  return [
    ...rttVerdict(result),
    ...moveVerdicts(result),
    ...pauseVerdict(result),
    ...clientVerdicts(result),
    ...accountVerdict(result),
  ];
}

/** The first line that makes the experiment a failure; `null` when none does. */
export function failureOf(result: RunResult): string | null {
  return verdictsOf(result).find((v) => v.level === 'fail')?.text ?? null;
}

function rttVerdict({ rtt }: RunResult): Verdict[] {
  if (rtt === null || rtt.count === 0) return [{ level: 'miss', text: 'the round trip was not measured' }];
  const under = rtt.p50Ns < rtt.targetNs;
  const text = `round trip ${formatNs(rtt.p50Ns)} (p50) is ${under ? 'under' : 'not under'} the target of ${formatNs(rtt.targetNs)}`;
  return [{ level: under ? 'pass' : 'miss', text }];
}

function moveVerdicts({ migrations, peer }: RunResult): Verdict[] {
  const verdicts: Verdict[] = [];
  const completed = migrations.filter((m) => m.outcome === 'completed');
  const stopped = migrations.find((m) => m.outcome !== 'completed');
  if (stopped !== undefined) {
    const where =
      stopped.guestAt === null ? 'the guest runs nowhere' : `the guest runs at ${stopped.guestAt}`;
    const why = stopped.reason === null ? '' : `: ${stopped.reason.code}: ${stopped.reason.text}`;
    const text = `move ${stopped.index + 1} (${stopped.from}→${stopped.to}) ended ${stopped.outcome}, ${where}${why}`;
    verdicts.push({ level: 'fail', text });
  } else if (completed.length > 0) {
    verdicts.push({ level: 'pass', text: `${ofAll(completed.length, migrations.length)} completed` });
  }
  const doubled = migrations.filter((m) => (m.copiesRunning ?? 0) > 1);
  if (doubled.length > 0) verdicts.push({ level: 'fail', text: 'two copies of the guest ran at once' });
  const differing = completed.filter((m) => m.memoryIdentical === false);
  const compared = completed.filter((m) => m.memoryIdentical !== null);
  if (differing.length > 0) {
    const moves = differing.map((m) => m.index + 1).join(', ');
    verdicts.push({ level: 'fail', text: `memory differs after move ${moves}` });
  } else if (peer !== null && compared.length === 0) {
    verdicts.push({
      level: 'pass',
      text: 'the guest found none of its pages changed; memory was not compared',
    });
  } else if (compared.length < completed.length) {
    const text = `memory was compared after ${compared.length} of ${completed.length} moves only`;
    verdicts.push({ level: 'miss', text });
  } else if (compared.length > 0) {
    verdicts.push({ level: 'pass', text: 'memory identical, page by page' });
  }
  return verdicts;
}

function pauseVerdict({ migrations, experiment }: RunResult): Verdict[] {
  const pauses = migrations.flatMap((m) =>
    m.outcome === 'completed' && m.pauseNs !== null ? [m.pauseNs] : [],
  );
  if (pauses.length === 0) return [];
  const targetNs = experiment.migration.pauseTargetNs;
  const pauseNs = median(pauses);
  const met = pauseNs <= targetNs;
  const name = pauses.length === 1 ? 'pause' : 'median pause';
  const text = `${name} ${formatNs(pauseNs)} is ${met ? 'within' : 'above'} the target of ${formatNs(targetNs)}`;
  return [{ level: met ? 'pass' : 'miss', text }];
}

function clientVerdicts({ migrations }: RunResult): Verdict[] {
  const clients = migrations.flatMap((m) => m.clients);
  if (clients.length === 0) return [];
  const sum = (key: 'lost' | 'duplicated' | 'wrong' | 'bytesWrong' | 'resets'): number =>
    clients.reduce((n, c) => n + c[key], 0);
  const wrong = sum('wrong');
  const resets = sum('resets');
  const bytesWrong = sum('bytesWrong');
  const lost = sum('lost');
  const duplicated = sum('duplicated');
  const gap = formatNs(Math.max(...clients.map((c) => c.longestGapNs)));
  const verdicts: Verdict[] = [];
  if (wrong > 0)
    verdicts.push({ level: 'fail', text: `${answers(wrong)} wrong: the guest's memory was not intact` });
  if (bytesWrong > 0)
    verdicts.push({ level: 'fail', text: `${bytesWrong} bytes of TCP streams were lost, repeated or wrong` });
  if (resets > 0)
    verdicts.push({ level: 'fail', text: `${resets} sessions were forgotten by the guest, or broke` });
  if (lost + duplicated > 0) {
    const text = `${answers(lost)} lost, ${duplicated} repeated; longest gap ${gap}`;
    verdicts.push({ level: 'miss', text });
  } else if (wrong + resets + bytesWrong === 0) {
    verdicts.push({
      level: 'pass',
      text: `${keptSessions(clients)}; longest gap ${gap}`,
    });
  }
  return verdicts;
}

function keptSessions(clients: readonly ClientResult[]): string {
  const streams = new Set(clients.filter((c) => c.kind.startsWith('tcp-')).map((c) => `${c.site} ${c.kind}`))
    .size;
  const kept = 'sessions kept: no answer lost, repeated or wrong';
  return streams === 0 ? kept : `${kept}; ${streams} TCP connections without a reset or a wrong byte`;
}

function accountVerdict({ fabric }: RunResult): Verdict[] {
  if (fabric === null) return [];
  if (!fabric.closes) return [{ level: 'fail', text: "the fabric's accounting does not close" }];
  return [{ level: 'pass', text: "the fabric's accounting closes" }];
}

function ofAll(n: number, all: number): string {
  return all === 1 ? 'the move' : `${n} of ${all} moves`;
}

function answers(n: number): string {
  return n === 1 ? '1 answer' : `${n} answers`;
}
