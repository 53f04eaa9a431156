/**
 * A guest that stood committed when its host's process was killed, found again by the next process with memory and
 * state. It stands until the doubt is settled: rules 2 and 3 of docs/design.md, "Protocol".
 *
 *   never    ─► state loaded, ENDED on record, the guest runs here
 *   running  ─► ENDED on record, the memory is freed; not while the peer's copy may lack pages that only this one has
 *   ask      ─► still in doubt: the peer is asked by its records (`resolve-doubt.ts`)
 */
import { nowNs } from '../sys/index.js';
import type { DoubtVerdict } from './control-socket.js';
import type { HostReport, SourceReport } from './ipc.js';
import type { KeptGuest } from './kept-guest.js';
import type { MovingGuest } from './moving-guest.js';
import type { RecordStore } from './records.js';
import { bareSourceReport } from './source-report.js';

export interface RecoveredParts {
  readonly guest: Pick<MovingGuest, 'control' | 'loadState'>;
  readonly guestName: string;
  readonly records: Pick<RecordStore, 'append'>;
  readonly report: (report: HostReport) => void;
  /** The guest runs here again. */
  readonly onRunning: () => void;
  /** Its memory here belongs to nobody any more. */
  readonly onReleased: () => void;
}

export class RecoveredGuest {
  readonly #kept: KeptGuest;
  readonly #parts: RecoveredParts;
  readonly #sinceNs = nowNs();

  constructor(kept: KeptGuest, parts: RecoveredParts) {
    this.#kept = kept;
    this.#parts = parts;
  }

  /** @returns whether the doubt is settled; what became of the guest is reported as a source does */
  resolve(migrationId: string, verdict: DoubtVerdict, text: string): boolean {
    const { guest, onRunning, onReleased } = this.#parts;
    if (migrationId !== Buffer.from(this.#kept.migrationId).toString('hex'))
      return this.#stays(`another migration is in doubt: ${text}`);
    if (verdict === 'ask')
      return this.#stays('this process was started anew: the peer’s records are to be asked');
    if (verdict === 'running' && this.#kept.incomplete)
      return this.#stays('the peer runs it and may still need pages that only this memory holds');
    if (verdict === 'never') guest.loadState(this.#kept.state);
    this.#recordEnd();
    if (verdict === 'never') {
      guest.control.resume();
      onRunning();
      this.#report('aborted', `the guest runs on from where it stood: ${text}`);
    } else {
      onReleased();
      this.#report('completed', `the copy here is freed: ${text}`);
    }
    return true;
  }

  #recordEnd(): void {
    const { migrationId, epoch } = this.#kept;
    this.#parts.records.append({ kind: 'ENDED', epoch, migrationId, guest: this.#parts.guestName });
  }

  #stays(text: string): false {
    this.#report('in-doubt', text);
    return false;
  }

  #report(outcome: SourceReport['outcome'], text: string): void {
    const report = bareSourceReport(outcome, 'HOST_RECOVERED', text, this.#sinceNs, nowNs());
    this.#parts.report({ type: 'source-finished', report });
  }
}
