/** Hands a doubt's resolution to the endpoint's thread and waits for what becomes of it. */
import type { MessagePort } from 'node:worker_threads';
import type { ControlHandlers } from './control-socket.js';
import type { HostStatusKeeper } from './host-status.js';
import type { HostReport, HostRequest } from './ipc.js';

/** A peer far away answers within a few round trips; one that does not is not there. */
const ANSWER_LIMIT_MS = 5000;

/** @param order gives the endpoint's thread a request @param reports where that thread's reports arrive */
export function settledBy(
  keeper: HostStatusKeeper,
  order: (request: HostRequest) => void,
  reports: MessagePort,
): ControlHandlers['resolve'] {
  return async (migrationId, verdict, text) => {
    const { state, migrationId: inDoubt, guest } = keeper.status();
    if (state !== 'in-doubt' || inDoubt !== migrationId)
      return { ok: false, text: `${guest} is not in doubt here under this migration: it is ${state}` };
    return new Promise((resolve) => {
      const end = (ok: boolean, what: string): void => {
        clearTimeout(timer);
        reports.off('message', heard);
        resolve({ ok, text: what });
      };
      const heard = (report: HostReport): void => {
        if (report.type !== 'source-finished') return;
        const { outcome, text: why } = report.report;
        if (outcome === 'in-doubt') end(false, `still in doubt: ${why}`);
        else if (outcome === 'completed') end(true, `${guest} runs at the peer; the copy here is freed`);
        else end(true, `${guest} runs here again`);
      };
      const timer = setTimeout(() => end(false, 'still in doubt: no answer came'), ANSWER_LIMIT_MS);
      reports.on('message', heard);
      order({ type: 'resolve', migrationId, verdict, text });
    });
  };
}
