/**
 * The durable records of a simulated host: what is left of it after a crash. A record that is being written when the
 * host dies may be there afterwards or not; a disk may be slow, or full.
 */
import type { Rng } from '../core/index.js';

export type RecordKind = 'COMMIT' | 'RUNNING' | 'NEVER' | 'ENDED';

export interface SimRecord {
  readonly kind: RecordKind;
  readonly epoch: number;
  readonly migrationId: string;
}

export class SimRecords {
  /** Names this store for ever, 32 hexadecimal digits. */
  readonly storeId: string;
  /** Writes fail while it is set. */
  isFull = false;
  /** Times the cost of a write. */
  slowness = 1;
  readonly #records: SimRecord[] = [];
  readonly #underWay = new Set<SimRecord>();
  readonly #rng: Rng;

  constructor(storeId: string, rng: Rng) {
    this.storeId = storeId;
    this.#rng = rng;
  }

  get all(): readonly SimRecord[] {
    return this.#records;
  }

  has(kind: RecordKind, migrationId: string): boolean {
    return this.#records.some((r) => r.kind === kind && r.migrationId === migrationId);
  }

  decision(migrationId: string): 'RUNNING' | 'NEVER' | null {
    if (this.has('RUNNING', migrationId)) return 'RUNNING';
    return this.has('NEVER', migrationId) ? 'NEVER' : null;
  }

  /** The highest epoch on record, or null. */
  highestEpoch(): number | null {
    return this.#records.length === 0 ? null : Math.max(...this.#records.map((r) => r.epoch));
  }

  begin(record: SimRecord): void {
    this.#underWay.add(record);
  }

  /** @returns whether it is in the store */
  end(record: SimRecord): boolean {
    this.#underWay.delete(record);
    if (this.isFull) return false;
    this.#records.push(record);
    return true;
  }

  /** The host died: each write that was under way has reached the store, or has not. */
  crash(): void {
    for (const record of this.#underWay)
      if (!this.isFull && this.#rng.chance(0.5)) this.#records.push(record);
    this.#underWay.clear();
  }
}
