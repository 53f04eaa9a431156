/** Cuts the fiber, both ways, once in a move, in the phase that was asked for, and mends it again. */
import { setTimeout as sleep } from 'node:timers/promises';
import { formatNs } from '../core/index.js';
import type { Fabric } from '../fabric/index.js';
import type { HostReport } from '../host/index.js';
import type { Cut } from './config/cut-spec.js';

export class FiberCut {
  readonly #cut: Cut;
  readonly #fabric: Fabric;
  readonly #mark: (what: string) => void;
  readonly #mended = new AbortController();
  /** Settles when the fiber is whole again; null before it was cut. */
  #over: Promise<void> | null = null;

  constructor(cut: Cut, fabric: Fabric, mark: (what: string) => void) {
    this.#cut = cut;
    this.#fabric = fabric;
    this.#mark = mark;
  }

  /** Whether the phase came that the cut was meant for. */
  get done(): boolean {
    return this.#over !== null;
  }

  /** Looks whether a host's report says that the phase has come. */
  heard(report: HostReport): void {
    if (this.#over === null && this.#hasCome(report)) this.#over = this.#make();
  }

  /** The move is over: the fiber is not left cut. */
  async end(): Promise<void> {
    this.#mended.abort();
    await this.#over;
  }

  #hasCome(report: HostReport): boolean {
    switch (this.#cut.phase) {
      case 'precopy':
        return report.type === 'round' || (report.type === 'pages' && report.sent >= report.total / 3);
      case 'switchover':
        return report.type === 'phase' && report.phase === 'switchover';
      case 'postcopy':
        return report.type === 'guest-here' && !report.whole;
    }
  }

  async #make(): Promise<void> {
    const { phase, durationNs } = this.#cut;
    this.#mark(`fiber cut in ${phase} for ${formatNs(durationNs)}`);
    await this.#fabric.changeFiber('both', { link: 'down' });
    await sleep(durationNs / 1e6, null, { signal: this.#mended.signal }).catch(() => {});
    await this.#fabric.changeFiber('both', { link: 'up' });
    this.#mark('fiber mended');
  }
}
