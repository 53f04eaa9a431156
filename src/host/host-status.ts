/** What a host's process says of its guest, put together from the reports that pass through its main thread. */
import type { HostReport, HostRequest } from './ipc.js';

/** Where the guest is, seen from one living host. */
export type GuestState = 'running' | 'moving' | 'in-doubt' | 'moved' | 'standing-by';

export interface HostStatus {
  readonly pid: number;
  readonly site: string;
  readonly guest: string;
  readonly state: GuestState;
  /** Of the migration under way or in doubt, 32 hexadecimal digits. */
  readonly migrationId: string | null;
}

export class HostStatusKeeper {
  #site = '';
  #guest = '';
  #state: GuestState = 'standing-by';
  #migrationId: string | null = null;

  ordered(request: HostRequest): void {
    if (request.type === 'begin') {
      this.#site = request.orders.site;
      this.#guest = request.orders.guest.name;
      this.#state = request.orders.boots ? 'running' : 'standing-by';
    } else if (request.type === 'migrate') {
      this.#state = 'moving';
      this.#migrationId = request.orders.migrationId;
    }
  }

  reported(report: HostReport): void {
    if (report.type === 'source-finished') {
      const { outcome } = report.report;
      this.#state = outcome === 'completed' ? 'moved' : outcome === 'in-doubt' ? 'in-doubt' : 'running';
      if (outcome !== 'in-doubt') this.#migrationId = null;
    } else if (report.type === 'ready' && report.doubt?.memory === 'kept') {
      this.#state = 'in-doubt';
      this.#migrationId = report.doubt.migrationId;
    } else if (report.type === 'guest-here') {
      this.#state = 'running';
    }
  }

  status(): HostStatus {
    return {
      pid: process.pid,
      site: this.#site,
      guest: this.#guest,
      state: this.#state,
      migrationId: this.#migrationId,
    };
  }
}
