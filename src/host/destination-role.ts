/**
 * The destination's side of one migration, driven in real time: the machine decides, this does.
 *
 * Before READY everything that can be made ready is: memory mapped, links open, the guest's thread at the start
 * line. After FINAL one call stack verifies, records RUNNING, starts the guest and announces it.
 */
import { WOKE } from '../core/index.js';
import type { WorkloadGuest } from '../guest/memory/index.js';
import { nowNs, receiveBytes } from '../sys/index.js';
import {
  Destination,
  type DestinationAction,
  type DestinationEvent,
  type Message,
} from '../vmotion-protocol/index.js';
import {
  type Link,
  type LinkPoller,
  newRegion,
  PageReceiver,
  regionOf,
} from '../vmotion-protocol/transport/index.js';
import type { Announcements } from './announcements.js';
import type { ControlChannel } from './control-channel.js';
import type { HostReport } from './ipc.js';
import type { PageTable } from './page-table.js';
import type { RecordStore } from './records.js';
import { hashOfState } from './state-hash.js';

const START_LIMIT_MS = 1000;
const FRAME_BYTES = 2048;
/** Pages whose hashes one HASHES message carries. */
const HASHES_PAGES = 4096;

export interface DestinationParts {
  readonly guest: WorkloadGuest;
  readonly guestName: string;
  readonly announcements: Announcements;
  readonly nicFd: number;
  readonly table: PageTable;
  readonly records: RecordStore;
  readonly poller: LinkPoller;
  readonly report: (report: HostReport) => void;
  /** Why this host cannot take the guest now, or null. */
  readonly refusal: string | null;
  /** The memory is to be as if it had never been touched. */
  readonly dropMemory: () => void;
  /** The guest runs here now. */
  readonly onRunning: (epoch: number) => void;
}

export class DestinationRole {
  readonly #parts: DestinationParts;
  readonly #control: ControlChannel;
  readonly #machine: Destination;
  readonly #actions: DestinationAction[] = [];
  readonly #receiver: PageReceiver;
  readonly #frame = newRegion(FRAME_BYTES);
  readonly migrationId: string;
  #hashesFrom = -1;
  #epoch = 0;
  #lost = false;
  finished = false;

  constructor(control: ControlChannel, migrationId: string, parts: DestinationParts) {
    this.#parts = parts;
    this.#control = control;
    this.migrationId = migrationId;
    const { guest, table } = parts;
    this.#receiver = new PageReceiver(regionOf(guest.memory.bytes), guest.memory.pages, table, {
      onRoundApplied: (round, pages) => this.#step({ type: 'round-applied', round, pages }),
      onViolation: (code, text) => this.#lose(code, text),
    });
    this.#machine = new Destination({
      guest: parts.guestName,
      pages: guest.memory.pages,
      storeId: Buffer.from(parts.records.storeId).toString('hex'),
      epochOf: (name) => parts.records.highestEpoch(name),
      decisionOf: (id) => parts.records.decision(id),
    });
  }

  nextWakeNs(): number {
    if (this.finished) return Number.POSITIVE_INFINITY;
    if (this.#receiver.eager || (this.#hashesFrom >= 0 && this.#control.backlog === 0)) return 0;
    return this.#machine.nextWakeNs();
  }

  addStream(link: Link, stream: number): void {
    this.#receiver.addStream(link, stream);
  }

  service(): void {
    if (this.finished) return;
    if (!this.#lost) {
      const trouble = this.#control.flush()
        ? this.#control.receive((m) => this.#received(m))
        : { code: 'VMOTION_CONNECTION_LOST', text: 'the control connection broke' };
      if (trouble !== null && !this.finished) this.#lose(trouble.code, trouble.text);
    }
    // A closed page stream alone proves nothing while the control channel lives: the machine's timers decide.
    if (!this.finished && !this.#lost) this.#receiver.receive();
    this.#sendHashes();
    if (!this.finished && this.#machine.nextWakeNs() <= nowNs()) this.#step(WOKE);
  }

  /** A violation's answer leaves before the link counts as lost; a message of a later version is no end. */
  #lose(code: string, text: string): void {
    if (this.#lost) return;
    this.#hashesFrom = -1;
    if (code === 'VMOTION_CONNECTION_LOST') {
      this.#lost = true;
      this.#step({ type: 'connection-lost', text });
    } else {
      this.#step({ type: 'violation', code, text });
      this.#lost = code !== 'VMOTION_MESSAGE_UNKNOWN';
    }
  }

  #received(message: Message): void {
    if (message.type === 'offer') this.#epoch = message.epoch;
    this.#step({ type: 'received', message });
  }

  #step(event: DestinationEvent): void {
    const first = this.#actions.length;
    this.#machine.step(nowNs(), event, this.#actions);
    if (first > 0) return;
    for (let i = 0; i < this.#actions.length; i++) this.#carryOut(this.#actions[i]!);
    this.#actions.length = 0;
  }

  #carryOut(action: DestinationAction): void {
    const { guest, records, table } = this.#parts;
    switch (action.type) {
      case 'send':
        if (!this.#lost) this.#control.send(action.message);
        break;
      case 'prepare':
        if (this.#parts.refusal !== null) {
          this.#step({ type: 'prepare-failed', code: 'VMOTION_BUSY', text: this.#parts.refusal });
          break;
        }
        table.clear();
        this.#parts.dropMemory();
        this.#receiver.begin(action.streams);
        this.#step({ type: 'prepared' });
        break;
      case 'arm':
        // The port opens now: what reached it before, the source's guest has answered.
        while (receiveBytes(this.#parts.nicFd, this.#frame.address, FRAME_BYTES) >= 0);
        guest.control.spinAtStart(true);
        this.#step({ type: 'armed' });
        break;
      case 'verify': {
        const state = hashOfState(action.state);
        const stateOk = state.lo === action.stateHash.lo && state.hi === action.stateHash.hi;
        const memoryOk = table.setHash.equals(action.setHash);
        const text = memoryOk
          ? 'the device state differs from its digest'
          : 'the memory differs from its digest';
        this.#step({ type: 'verified', ok: stateOk && memoryOk, text: stateOk && memoryOk ? '' : text });
        break;
      }
      case 'load-state':
        try {
          guest.loadState(action.state);
          this.#step({ type: 'state-loaded' });
        } catch (e) {
          this.#step({ type: 'state-refused', text: (e as Error).message });
        }
        break;
      case 'record':
        try {
          records.append({
            kind: action.record,
            epoch: this.#epoch,
            migrationId: Buffer.from(this.migrationId, 'hex'),
            guest: this.#parts.guestName,
          });
          this.#step({ type: 'recorded', record: action.record });
        } catch (e) {
          this.#step({ type: 'record-failed', record: action.record, text: (e as Error).message });
        }
        break;
      case 'start-guest':
        guest.control.resume();
        guest.control.waitRunning(START_LIMIT_MS);
        this.#parts.onRunning(this.#epoch);
        this.#step({ type: 'guest-started', atNs: guest.control.firstInstructionNs });
        break;
      case 'announce':
        this.#parts.announcements.start();
        break;
      case 'inject-frame':
        guest.control.inject(action.bytes);
        break;
      case 'send-hashes':
        this.#hashesFrom = 0;
        break;
      case 'discard':
        guest.control.spinAtStart(false);
        table.clear();
        this.#parts.dropMemory();
        break;
      case 'report':
        this.#parts.report({ type: 'event', atNs: action.event.atNs, what: action.event.text });
        break;
      case 'finished':
        this.#finish(action.outcome, action.code, action.text);
        break;
    }
  }

  /** A few hashes at a time, so that late frames and the guest's own traffic are not kept waiting. */
  #sendHashes(): void {
    const pages = this.#parts.guest.memory.pages;
    if (this.#hashesFrom < 0 || this.#control.backlog > 0) return;
    const count = Math.min(HASHES_PAGES, pages - this.#hashesFrom);
    this.#control.send({
      type: 'hashes',
      firstPfn: this.#hashesFrom,
      hashes: this.#parts.table.hashesOf(this.#hashesFrom, count),
    });
    this.#hashesFrom = this.#hashesFrom + count < pages ? this.#hashesFrom + count : -1;
  }

  #finish(outcome: string, code: string, text: string): void {
    this.finished = true;
    this.#control.flush();
    this.#control.close();
    this.#receiver.close();
    const announcedNs = this.#parts.announcements.firstSentNs;
    this.#parts.report({ type: 'destination-finished', outcome, code, text, announcedNs });
  }
}
