/** Runs whose hosts have left records, and hosts that answer on their sockets, prepared for tests. */
import { mkdtempSync, rmSync } from 'node:fs';
import type { Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type ControlHandlers,
  type DurableRecord,
  type FoundGuest,
  type FoundHost,
  findHosts,
  guestsOf,
  type HostStatus,
  hostFilesOf,
  RecordStore,
  serveControl,
  writeKeyFile,
} from '../../src/host/index.js';

export const GUEST = 'web';
export const MIGRATION = 'ab'.repeat(16);

export class PreparedRun {
  readonly dir = mkdtempSync(join(tmpdir(), 'longhaul-test-'));
  readonly #servers: Server[] = [];
  readonly orders: string[] = [];

  /** Makes a host's store with these records of one migration; returns its id. */
  store(site: string, ...kinds: (DurableRecord['kind'] | [DurableRecord['kind'], number, string])[]): string {
    const store = new RecordStore(this.path(site));
    for (const k of kinds) {
      const [kind, epoch, id] = typeof k === 'string' ? ([k, 3, MIGRATION] as const) : k;
      store.append({ kind, epoch, migrationId: Buffer.from(id, 'hex'), guest: GUEST });
    }
    const id = Buffer.from(store.storeId).toString('hex');
    store.close();
    return id;
  }

  /** Notes at `site` under which store its peer answered. */
  knows(site: 'a' | 'b', peerStore: string): void {
    const peerStores = { [MIGRATION]: peerStore };
    writeKeyFile(hostFilesOf(this.path(site)).keys, { schema: 1, site, runKey: null, peerStores });
  }

  /** Lets a host answer as if its process lived. */
  async live(site: string, state: HostStatus['state'], resolve?: ControlHandlers['resolve']): Promise<void> {
    const status = {
      pid: 4711,
      site,
      guest: GUEST,
      state,
      migrationId: state === 'in-doubt' ? MIGRATION : null,
    };
    const server = serveControl(hostFilesOf(this.path(site)).socket, {
      status: () => status,
      resolve: async (migrationId, verdict, text) => {
        this.orders.push(`${verdict}: ${text}`);
        return resolve ? resolve(migrationId, verdict, text) : { ok: true, text: `done: ${verdict}` };
      },
    });
    await new Promise((r) => server.once('listening', r));
    this.#servers.push(server);
  }

  path(site: string): string {
    return join(this.dir, `host-${site}.records`);
  }

  hosts(): Promise<FoundHost[]> {
    return findHosts([this.dir]);
  }

  async guests(): Promise<FoundGuest[]> {
    return (await this.hosts()).flatMap(guestsOf);
  }

  /** What a host has on record now, besides its store's name. */
  async kinds(site: string): Promise<string[]> {
    const host = (await this.hosts()).find((h) => h.site === site)!;
    return host.records.slice(1).map((r) => r.kind);
  }

  async remove(): Promise<void> {
    for (const server of this.#servers) await new Promise((r) => server.close(r));
    rmSync(this.dir, { recursive: true });
  }
}

export async function inRun(body: (run: PreparedRun) => Promise<void>): Promise<void> {
  const run = new PreparedRun();
  try {
    await body(run);
  } finally {
    await run.remove();
  }
}
