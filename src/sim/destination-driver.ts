/**
 * The destination's side of one simulated migration: the machine decides, this does, and takes its time.
 *
 *   control line, page links ─► machine ─► place for the guest, records, start, announcement
 *
 * It is to the machine what `host/destination-role.ts` is in real time.
 */
import { Steps, WOKE } from '../core/index.js';
import { decodeDeviceState } from '../guest/index.js';
import { type AnnounceAction, Announcer } from '../l2/index.js';
import {
  Destination,
  type DestinationAction,
  type DestinationEvent,
  type DestinationOutcome,
  type Message,
} from '../vmotion-protocol/index.js';
import { type ControlItem, messageIn, sendMessage } from './control-line.js';
import type { SimHost } from './host.js';
import type { Link } from './link.js';
import { PageDestination } from './page-destination.js';
import type { PageItem } from './page-items.js';
import { PageTable } from './page-table.js';
import { stateDigest } from './state-digest.js';
import { Waker } from './virtual-time.js';

const GUEST_NAME = 'guest';
/** Pages whose hashes one HASHES message carries. */
const HASHES_PAGES = 4096;
/** While pages are missing the guest's work is looked at so often: its faults are late by half of it. */
const LOOK_NS = 50_000;

export class DestinationDriver {
  readonly migrationId: string;
  outcome: DestinationOutcome | null = null;
  /** By this host's clock; 0 before. */
  announcedNs = 0;
  startedNs = 0;
  completeNs = 0;
  pagesMissing = 0;
  readonly #host: SimHost;
  readonly #machine: Destination;
  readonly #waker: Waker;
  readonly #announceWaker: Waker;
  readonly #steps: Steps<DestinationEvent, DestinationAction>;
  readonly #table: PageTable;
  readonly #announcer: Announcer;
  readonly #announcements: AnnounceAction[] = [];
  #control: Link | null;
  #pages: PageDestination | null = null;
  #epoch = 0;
  #armed = false;
  /** Behind it comes the final flight. */
  #lastRound = Number.POSITIVE_INFINITY;
  #direct = false;
  #startWhenPresent = false;
  /** The guest will be looked at again: not while it stands. */
  #looks = false;

  constructor(host: SimHost, control: Link, migrationId: string) {
    this.#host = host;
    this.migrationId = migrationId;
    const { pages } = host.guest.memory;
    this.#table = new PageTable(pages);
    this.#machine = new Destination({
      guest: GUEST_NAME,
      pages,
      storeId: host.records.storeId,
      epochOf: () => host.records.highestEpoch(),
      decisionOf: (id) => host.records.decision(id),
      timers: host.around.destinationTimers,
    });
    this.#steps = new Steps(this.#machine, (action) => this.#carryOut(action));
    this.#waker = new Waker(host.around.time, () => host.after(0, () => this.#woke()));
    this.#announcer = new Announcer(host.announced);
    this.#announceWaker = new Waker(host.around.time, () => host.after(0, () => this.#announceAgain()));
    this.#control = null;
    this.#take(control);
  }

  /** It has come to its end and answers nothing more. */
  get isOver(): boolean {
    return this.outcome !== null;
  }

  get phase(): string {
    return this.#machine.phase;
  }

  /** Frames at the guest's port are this one's to judge. */
  get buffersPort(): boolean {
    return this.#armed && !this.#direct;
  }

  owns(link: Link): boolean {
    return link === this.#control || this.#pages?.owns(link) === true;
  }

  /** The source has come back. */
  reconnect(link: Link): void {
    this.#lineLost('the source has opened a new line');
    this.#take(link);
    this.#step({ type: 'reconnected' });
  }

  controlItem(item: ControlItem): void {
    if (item.type === 'message') this.received(messageIn(item.bytes));
  }

  received(message: Message): void {
    this.#host.note(`received ${message.type}`);
    if (message.type === 'offer') this.#epoch = message.epoch;
    this.#step({ type: 'received', message });
  }

  addPageLink(link: Link): void {
    if (this.#pages === null) return link.vanish();
    this.#pages.add(link);
  }

  pageItem(link: Link, item: PageItem): void {
    this.#pages?.take(link, item);
  }

  portFrame(bytes: Uint8Array): void {
    if (this.buffersPort) this.#step({ type: 'nic-frame', bytes });
  }

  /** The guest stands at a page that is missing. */
  fault(pfn: number): void {
    this.#host.after(this.#host.costs.faultNs, () => this.#pages?.demand(pfn));
  }

  mind(): void {
    const wakeNs = this.#machine.nextWakeNs();
    if (wakeNs !== Number.POSITIVE_INFINITY) this.#waker.mind(Math.max(0, this.#host.worldNs(wakeNs)));
  }

  /** FINAL has said what is missing, and not all of that has come. */
  get #isFilling(): boolean {
    return this.#host.guest.missing.next(0) >= 0;
  }

  #take(link: Link): void {
    this.#control = link;
    link.onItem = (item) =>
      this.#host.after(this.#host.costs.messageNs, () => this.#item(link, item as ControlItem));
    link.onLost = (text) =>
      this.#host.after(this.#host.costs.messageNs, () => {
        if (link === this.#control) this.#lineLost(text);
      });
  }

  #item(link: Link, item: ControlItem): void {
    if (link === this.#control) this.controlItem(item);
  }

  #lineLost(text: string): void {
    if (this.#control === null) return;
    if (this.#control.isOpen) this.#control.vanish();
    this.#control = null;
    this.#step({ type: 'connection-lost', text });
  }

  #woke(): void {
    if (this.#host.destination !== this) return;
    if (this.#machine.nextWakeNs() <= this.#host.nowNs()) this.#step(WOKE);
    else this.mind();
  }

  #step(event: DestinationEvent): void {
    if (this.#steps.give(this.#host.nowNs(), event)) this.mind();
  }

  #carryOut(action: DestinationAction): void {
    const { guest, costs, around } = this.#host;
    switch (action.type) {
      case 'send':
        this.#send(action.message);
        break;
      case 'prepare':
        this.#prepare(action.streams, action.mode !== 'post-copy');
        break;
      case 'arm':
        this.#table.forget(action.left);
        this.#pages!.armed(action.round);
        this.#lastRound = action.round;
        this.#host.after(costs.armNs, () => {
          this.#armed = true;
          this.#step({ type: 'armed' });
        });
        break;
      case 'verify': {
        this.#table.forget(action.missing);
        guest.missing.union(action.missing);
        this.pagesMissing = action.missing.count();
        const { setHash, stateHash, state } = action;
        this.#host.after(costs.verifyNs + this.pagesMissing * costs.dropPageNs, () => {
          const digest = stateDigest(state);
          const stateOk = digest.lo === stateHash.lo && digest.hi === stateHash.hi;
          const memoryOk = this.#table.setHash.equals(setHash);
          this.#step({
            type: 'verified',
            ok: stateOk && memoryOk,
            text: 'memory or state differ from their digests',
          });
        });
        break;
      }
      case 'load-state':
        this.#host.after(costs.loadStateNs, () =>
          this.#step(
            decodeDeviceState(action.state).ok
              ? { type: 'state-loaded' }
              : { type: 'state-refused', text: 'the device state is not one' },
          ),
        );
        break;
      case 'record':
        this.#host.append(action.record, this.#epoch, this.migrationId, (ok) => {
          const { record } = action;
          this.#step(
            ok ? { type: 'recorded', record } : { type: 'record-failed', record, text: 'the disk is full' },
          );
        });
        break;
      case 'start-guest':
        this.#host.after(costs.startNs, () => this.#start());
        break;
      case 'announce':
        this.announcedNs = this.#host.nowNs();
        this.#announcer.step(this.#host.nowNs(), { type: 'guest-started' }, this.#announcements);
        this.#sendAnnouncements();
        break;
      case 'inject-frame':
        guest.receive(around.time.nowNs, action.bytes);
        break;
      case 'nic-direct':
        this.#direct = true;
        break;
      case 'send-hashes':
        this.#sendHashes();
        break;
      case 'tell-missing':
        this.#step({
          type: 'missing-told',
          round: this.#pages!.cameRound,
          missing: this.#isFilling ? guest.missing.clone() : this.#pages!.notCome(),
        });
        break;
      case 'take-up':
        this.#pages!.takeUp(action.round, action.final, this.#isFilling);
        if (!action.final && !this.#isFilling) {
          this.#armed = false;
          this.#lastRound = Number.POSITIVE_INFINITY;
        }
        break;
      case 'discard':
        this.#armed = false;
        this.#pages?.close();
        guest.clear();
        break;
      case 'forget-records':
        break;
      case 'report':
        this.#host.note(action.event.text);
        around.reported(this.#host.site, 'destination', action.event);
        break;
      case 'finished':
        this.#host.note(`destination finished: ${action.outcome} ${action.code}`);
        this.outcome = action.outcome;
        this.#pages?.close();
        this.#control?.close();
        break;
    }
  }

  #send(message: Message): void {
    if (this.#control === null) return;
    this.#host.note(`sends ${message.type}`);
    sendMessage(this.#control, message);
  }

  /** @param populates memory is made ready before its pages come */
  #prepare(streams: number, populates: boolean): void {
    const { guest, costs } = this.#host;
    if (guest.isRunning || this.#host.source?.isOver === false) {
      this.#step({ type: 'prepare-failed', code: 'VMOTION_BUSY', text: 'a guest is here' });
      return;
    }
    guest.clear();
    this.#pages = new PageDestination(this.#host, this.#table, streams, {
      roundApplied: (round, pages) => this.#roundApplied(round, pages),
      present: () => this.#present(),
    });
    const ns = populates ? guest.memory.pages * costs.populatePageNs : 0;
    this.#host.after(ns, () => this.#step({ type: 'prepared' }));
  }

  /** The final flight's end is told at once: what it takes stands in the pause's other parts. */
  #roundApplied(round: number, pages: number): void {
    const control = this.#control;
    const tell = (): void => {
      if (control === this.#control) this.#step({ type: 'round-applied', round, pages });
    };
    if (round > this.#lastRound) tell();
    else this.#host.after(this.#host.costs.roundNs, tell);
  }

  #start(): void {
    const { guest, around } = this.#host;
    around.judge.starts(this.#host, this.migrationId);
    const now = around.time.nowNs;
    this.#pages!.release();
    if (!guest.touchFirst(now)) {
      // The first step needs a page that is on its way: the guest counts as started once that is there.
      this.#startWhenPresent = true;
      return;
    }
    guest.start(now);
    this.startedNs = this.#host.nowNs();
    this.#step({ type: 'guest-started', atNs: this.startedNs });
    this.#look();
  }

  #present(): void {
    const { guest, around } = this.#host;
    if (this.#startWhenPresent && guest.stalledAt < 0) {
      this.#startWhenPresent = false;
      this.#start();
    }
    if (guest.missing.next(0) >= 0) {
      if (!this.#looks) this.#look();
      return;
    }
    this.completeNs = this.#host.nowNs();
    guest.catchUp(around.time.nowNs);
    around.judge.whole(this.#host);
    this.#step({ type: 'all-present' });
  }

  /** Lets the guest work while pages are missing, so that it touches them in time. */
  #look(): void {
    const { guest, around } = this.#host;
    this.#looks = guest.isRunning && guest.stalledAt < 0 && guest.missing.next(0) >= 0;
    if (!this.#looks) return;
    guest.catchUp(around.time.nowNs);
    this.#host.after(LOOK_NS, () => this.#look());
  }

  #announceAgain(): void {
    if (this.#host.guest.isRunning) {
      this.#announcer.step(this.#host.nowNs(), WOKE, this.#announcements);
      this.#sendAnnouncements();
    }
  }

  #sendAnnouncements(): void {
    for (const { bytes } of this.#announcements) this.#host.sendGuestFrame(new Uint8Array(bytes));
    this.#announcements.length = 0;
    const nextNs = this.#announcer.nextWakeNs();
    if (nextNs !== Number.POSITIVE_INFINITY)
      this.#announceWaker.mind(Math.max(0, this.#host.worldNs(nextNs)));
  }

  #sendHashes(): void {
    const { pages } = this.#host.guest.memory;
    for (let first = 0; first < pages; first += HASHES_PAGES) {
      const count = Math.min(HASHES_PAGES, pages - first);
      this.#send({ type: 'hashes', firstPfn: first, hashes: this.#table.hashesOf(first, count) });
    }
  }
}
