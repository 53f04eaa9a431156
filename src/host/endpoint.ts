/**
 * A host's vMotion endpoint: one thread that owns the guest, its dirty log, the records and every link, and
 * sleeps in ppoll between events.
 *
 *                    ┌───────────── wait ◄────────────┐
 *                    ▼                                │
 *      orders ─ links accepted ─ source role ─ destination role
 *
 * One guest, and one migration at a time; the loop asks each role when it wants to be called next.
 */

import { setImmediate as eventLoopTurn } from 'node:timers/promises';
import { RUNNING } from '../guest/memory/index.js';
import { type Doorbell, dropPages, nowNs, POLLIN, type PollSet, sharpenTimers } from '../sys/index.js';
import type { RefusalCounts } from '../vmotion-protocol/index.js';
import {
  Chain,
  Codecs,
  decodePreamble,
  type Link,
  type LinkPoller,
  newRegion,
  PREAMBLE_BYTES,
} from '../vmotion-protocol/transport/index.js';
import { Announcements } from './announcements.js';
import { ControlChannel } from './control-channel.js';
import { DestinationRole } from './destination-role.js';
import { hostFilesOf } from './host-files.js';
import type { HostOrders, HostReport, HostRequest } from './ipc.js';
import type { GuestKeeper, KeptGuest } from './kept-guest.js';
import { notePeerStore } from './key-file.js';
import { canCatchFaults } from './missing-memory.js';
import type { HostedGuest } from './moving-guest.js';
import { type Passing, signalAt } from './named-points.js';
import type { PageTable } from './page-table.js';
import type { RecordStore } from './records.js';
import { RecoveredGuest } from './recovered-guest.js';
import type { Rehearsal } from './rehearsal.js';
import { SourceRole } from './source-role.js';
import { StandbyPlace } from './standby-place.js';
import { actWith } from './urgency.js';

/** Links that have not said yet what they are; more are turned away. */
const STRANGERS_MAX = 32;
const PREAMBLE_LIMIT_NS = 2_000_000_000;
const START_LIMIT_MS = 10_000;

interface Stranger {
  readonly link: Link;
  readonly chain: Chain;
  readonly bytes: Uint8Array;
  readonly sinceNs: number;
}

export interface EndpointParts {
  readonly orders: HostOrders;
  readonly guest: HostedGuest;
  readonly table: PageTable;
  readonly records: RecordStore;
  readonly polls: PollSet;
  readonly poller: LinkPoller;
  readonly bell: Doorbell;
  readonly takeRequests: () => HostRequest[];
  /** What the pause will take is played just before it. */
  readonly rehearsal: Rehearsal;
  /** What the record layer has turned away; null of a host that talks in clear. */
  readonly refusals: RefusalCounts | null;
  /** Where a guest that stands committed is kept beyond this process; null where its memory is not. */
  readonly keeper: GuestKeeper | null;
  /** What a process before this one has left of the guest, in doubt; null when there was none. */
  readonly kept: KeptGuest | null;
  readonly report: (report: HostReport) => void;
}

export class Endpoint {
  readonly #parts: EndpointParts;
  readonly #nicSlot: number;
  readonly #bellSlot: number;
  readonly #announcements: Announcements;
  readonly #place: StandbyPlace;
  #strangers: Stranger[] = [];
  #source: SourceRole | null = null;
  #destination: DestinationRole | null = null;
  #guestHere: boolean;
  #recovered: RecoveredGuest | null = null;
  readonly #catchesFaults = canCatchFaults();
  readonly #codecs = new Codecs();
  #stopping = false;
  #passing: Passing = () => {};

  constructor(parts: EndpointParts) {
    this.#parts = parts;
    this.#bellSlot = parts.polls.add(parts.bell.fd, POLLIN);
    this.#nicSlot = parts.polls.add(parts.orders.nicFd, 0);
    this.#guestHere = parts.orders.boots;
    this.#place = new StandbyPlace(parts.guest.memory, () => this.#dropMemory());
    if (!parts.orders.boots && parts.kept === null) this.#place.clear();
    const { kept, guest, records, report, orders } = parts;
    if (kept !== null)
      this.#recovered = new RecoveredGuest(kept, {
        guest,
        guestName: orders.guest.name,
        records,
        report,
        onRunning: () => {
          this.#guestHere = true;
          this.#announcements.start();
        },
        onReleased: () => this.#place.clear(),
      });
    this.#announcements = new Announcements(parts.orders.guest, parts.orders.nicFd);
  }

  /** Turns until it is told to end. It yields to the event loop only while a TLS handshake lives there. */
  async run(): Promise<void> {
    sharpenTimers();
    const { polls, poller, bell } = this.#parts;
    while (!this.#stopping) {
      if (poller.wantsTurn) await eventLoopTurn();
      const wakeNs = Math.min(
        poller.nextWakeNs(),
        this.#announcements.nextWakeNs(),
        this.#source?.nextWakeNs() ?? Number.POSITIVE_INFINITY,
        this.#destination?.nextWakeNs() ?? Number.POSITIVE_INFINITY,
        this.#strangers.length > 0
          ? this.#strangers[0]!.sinceNs + PREAMBLE_LIMIT_NS
          : Number.POSITIVE_INFINITY,
        this.#place.eager ? 0 : Number.POSITIVE_INFINITY,
      );
      polls.setEvents(this.#nicSlot, this.#source?.watchesNic ? POLLIN : 0);
      polls.wait(wakeNs === Number.POSITIVE_INFINITY ? wakeNs : Math.max(0, wakeNs - nowNs()));
      poller.takeIn(nowNs());
      if (polls.ready(this.#bellSlot) !== 0) {
        bell.quiet();
        for (const request of this.#parts.takeRequests()) this.#handle(request);
      }
      for (let link = poller.accept(); link !== null; link = poller.accept()) this.#meet(link);
      if (this.#strangers.length > 0) this.#hear();
      this.#announcements.service();
      this.#source?.service();
      this.#destination?.service();
      poller.flush(nowNs());
      this.#destination?.awaitFinal();
      if (this.#source?.finished || this.#destination?.finished) this.#endRoles();
      if (this.#source === null && this.#destination === null) this.#place.step();
    }
    this.#codecs.close();
  }

  #endRoles(): void {
    if (this.#source?.finished) this.#source = null;
    if (this.#destination?.finished) this.#destination = null;
    this.#parts.rehearsal.poise();
  }

  #handle(request: HostRequest): void {
    const { guest, table, records, poller, report, orders } = this.#parts;
    switch (request.type) {
      case 'migrate':
        if (this.#source !== null || !this.#guestHere) {
          report({
            type: 'failed',
            code: 'VMOTION_BUSY',
            text: 'the guest is not here, or is moving already',
          });
          return;
        }
        this.#source = new SourceRole(request.orders, {
          guest,
          guestName: orders.guest.name,
          nicFd: orders.nicFd,
          table,
          records,
          poller,
          transport: orders.transport,
          codecs: this.#codecs,
          report,
          urgency: actWith,
          warmUp: () => {
            guest.saveState();
            this.#parts.rehearsal.playSource();
          },
          onAccepted: (storeId) =>
            notePeerStore(hostFilesOf(orders.recordsPath).keys, request.orders.migrationId, storeId),
          keeper: this.#parts.keeper,
          passing: (point) => this.#passing(point),
          onPaused: () => this.#announcements.cancel(),
          onReturned: () => this.#announcements.start(),
          onReleased: () => {
            this.#guestHere = false;
            this.#place.clear();
          },
        });
        break;
      case 'start-guest':
        guest.resume(START_LIMIT_MS);
        report({ type: 'event', atNs: nowNs(), what: 'guest started' });
        break;
      case 'resolve':
        if (this.#source?.migrationId === request.migrationId)
          this.#source.resolve(request.verdict, request.text);
        else if (this.#recovered?.resolve(request.migrationId, request.verdict, request.text))
          this.#recovered = null;
        break;
      case 'cancel':
        this.#source?.cancel(request.text);
        break;
      case 'refusals':
        report({ type: 'refusals', counts: this.#parts.refusals });
        break;
      case 'signal-at':
        this.#passing = signalAt(request.point, request.signal);
        break;
      case 'standing':
        report({ type: 'standing', runs: guest.control.state === RUNNING });
        break;
      case 'end':
        this.#stopping = true;
        break;
      case 'begin':
      case 'peak':
        break;
    }
  }

  #meet(link: Link): void {
    if (this.#strangers.length >= STRANGERS_MAX) return link.close();
    const region = newRegion(PREAMBLE_BYTES);
    const chain = new Chain();
    chain.push(region, 0, PREAMBLE_BYTES);
    this.#strangers.push({ link, chain, bytes: region.bytes, sinceNs: nowNs() });
  }

  /** Reads preambles and gives each link to whom it belongs; what is not ours is closed without a word. */
  #hear(): void {
    const now = nowNs();
    this.#strangers = this.#strangers.filter((stranger) => {
      const n = stranger.link.receive(stranger.chain);
      if (n < 0 || now - stranger.sinceNs > PREAMBLE_LIMIT_NS) {
        stranger.link.close();
        return false;
      }
      if (stranger.chain.bytes > 0) return true;
      this.#introduce(stranger);
      return false;
    });
  }

  #introduce({ link, bytes }: Stranger): void {
    const preamble = decodePreamble(bytes);
    if (preamble === null) return link.close();
    const id = Buffer.from(preamble.migrationId).toString('hex');
    if (preamble.kind === 'demand') {
      if (this.#destination?.migrationId !== id) return link.close();
      this.#destination.addDemandLink(link, preamble.attempt);
      return;
    }
    if (preamble.kind === 'pages') {
      if (this.#destination?.migrationId !== id) return link.close();
      this.#destination.addStream(link, preamble.stream, preamble.attempt);
      return;
    }
    const { guest, table, records, poller, report, orders } = this.#parts;
    const control = new ControlChannel(link, poller);
    if (this.#destination?.migrationId === id) return this.#destination.reconnect(control, preamble.attempt);
    if (this.#destination?.lost) this.#destination.supersede('another migration was offered');
    if (this.#destination !== null && !this.#destination.finished) return link.close();
    this.#parts.rehearsal.playSources();
    this.#destination = new DestinationRole(control, preamble.attempt, id, {
      guest,
      guestName: orders.guest.name,
      announcements: this.#announcements,
      nicFd: orders.nicFd,
      table,
      records,
      polls: this.#parts.polls,
      poller,
      codecs: this.#codecs,
      catchesFaults: this.#catchesFaults,
      report,
      urgency: actWith,
      warmUp: () => {
        guest.rehearseLoad?.();
        this.#parts.rehearsal.playDestination();
      },
      refusal: this.#refusal(),
      passing: (point) => this.#passing(point),
      place: this.#place,
      onRunning: () => {
        this.#guestHere = true;
      },
    });
  }

  /** Why no guest can be taken now, or null. */
  #refusal(): string | null {
    const { name } = this.#parts.orders.guest;
    if (this.#recovered !== null) return `guest ${name} stands here in doubt`;
    return this.#guestHere ? `guest ${name} runs here already` : null;
  }

  /** Gives the pages back to the kernel: the memory reads as zeros and costs nothing. madvise(2) */
  #dropMemory(): void {
    const { memory } = this.#parts.guest;
    dropPages(memory.address, memory.bytes.length, memory.dropAdvice);
  }
}
