/**
 * The source's side of one simulated migration: the machine of `vmotion-protocol` decides, this does, and takes its time.
 *
 *   machine ─► pause, harvest, pages, COMMIT, FINAL … ─► guest, dirty log, page links, records, control line
 *
 * It is to the machine what `host/source-role.ts` is in real time. A line that broke is dialled again for as long as the
 * machine has not come to its end, in doubt too.
 * Longer than 400 lines for the reason that its counterpart is: one list of actions.
 */
import { type PageSet, Steps, WOKE } from '../core/index.js';
import { encodeDeviceState } from '../guest/index.js';
import {
  type Message,
  type MigrationMode,
  Source,
  type SourceAction,
  type SourceEvent,
  type SourceOutcome,
  type StartedTimes,
} from '../vmotion-protocol/index.js';
import { type ControlItem, messageIn, sendMessage, sendWord } from './control-line.js';
import type { SimHost } from './host.js';
import type { Link } from './link.js';
import { PageSource, type RoundSent } from './page-source.js';
import { PageTable } from './page-table.js';
import { stateDigest } from './state-digest.js';
import { Waker } from './virtual-time.js';

export interface SimOrders {
  readonly migrationId: string;
  readonly epoch: number;
  readonly mode: MigrationMode;
  readonly streams: number;
  readonly pauseTargetNs: number;
  readonly maxRounds: number;
  readonly limitNs: number;
  readonly slowGuest: boolean;
}

/** How a migration ended at its source, last word first. */
export interface SourceEnd {
  readonly outcome: SourceOutcome;
  readonly code: string;
  readonly text: string;
}

const GUEST_NAME = 'guest';
/** An answer is awaited for so many redials. */
const ASK_AGAIN_REDIALS = 5;

export class SourceDriver {
  readonly migrationId: string;
  readonly ends: SourceEnd[] = [];
  /** For the result: instants by this host's clock, and counts. */
  readonly times = {
    startNs: 0,
    pauseCalledNs: 0,
    guestPausedNs: 0,
    harvestedNs: 0,
    stateSavedNs: 0,
    pagesSentNs: 0,
    commitRecordedNs: 0,
    finalSentNs: 0,
    startedReceivedNs: 0,
  };
  destination: StartedTimes | null = null;
  final: RoundSent | null = null;
  framesForwarded = 0;
  /** Times that the line broke. */
  linkBreaks = 0;
  hashesCompared = 0;
  hashesDiffering = 0;
  readonly #pages: PageSource;
  readonly #host: SimHost;
  readonly #machine: Source;
  readonly #table: PageTable;
  readonly #waker: Waker;
  readonly #epoch: number;
  readonly #steps: Steps<SourceEvent, SourceAction>;
  #control: Link | null = null;
  #line: 'opening' | 'open' | 'broken' = 'opening';
  /** Of which line in turn an answer is awaited. */
  #dialled = 0;
  #pausing = 0;
  /** Counts final flights, and what takes one back before it has begun. */
  #flights = 0;
  #forwarding = false;
  #sendingFinal = false;
  #died = false;

  constructor(host: SimHost, orders: SimOrders) {
    this.#host = host;
    this.migrationId = orders.migrationId;
    this.#epoch = orders.epoch;
    const pages = host.guest.memory.pages;
    this.#table = new PageTable(pages);
    this.#machine = new Source({
      migrationId: orders.migrationId,
      guest: GUEST_NAME,
      epoch: orders.epoch,
      pages,
      streams: orders.streams,
      storeId: host.records.storeId,
      mode: orders.mode,
      slowGuest: orders.slowGuest,
      pauseTargetNs: orders.pauseTargetNs,
      maxRounds: orders.maxRounds,
      precopyLimitNs: orders.limitNs,
      timers: host.around.sourceTimers,
    });
    this.#steps = new Steps(this.#machine, (action) => this.#carryOut(action));
    this.#pages = new PageSource(host, this.#table, this.migrationId, orders.streams, {
      roundSent: (sent) => this.#roundSent(sent),
      lost: (text) => this.#lineLost(text),
    });
    this.#waker = new Waker(host.around.time, () => host.after(0, () => this.#woke()));
    this.times.startNs = host.nowNs();
  }

  get isOver(): boolean {
    return this.#machine.phase === 'over' || this.#died;
  }

  get phase(): string {
    return this.#machine.phase;
  }

  get mode(): MigrationMode {
    return this.#machine.mode;
  }

  get hasDied(): boolean {
    return this.#died;
  }

  /** Pages that went after the switchover. */
  get served(): PageSource['served'] {
    return this.#pages.served;
  }

  get outcome(): SourceOutcome | null {
    return this.ends[this.ends.length - 1]?.outcome ?? null;
  }

  /** The guest's memory is here and nowhere else, or not all of it elsewhere. */
  get holdsMemory(): boolean {
    const { phase } = this.#machine;
    return phase !== 'over' && phase !== 'ending' && phase !== 'proving';
  }

  get forwards(): boolean {
    return this.#forwarding;
  }

  get isPausing(): boolean {
    return !this.isOver && !this.#host.guest.isRunning;
  }

  start(): void {
    this.#dial();
    this.#step({ type: 'start' });
  }

  cancel(text: string): void {
    this.#step({ type: 'cancel', text });
  }

  /** An operator's word, in doubt. */
  resolve(verdict: 'running' | 'never', text: string): void {
    this.#step({ type: 'resolved', verdict, text });
  }

  lateFrame(bytes: Uint8Array): void {
    if (this.#host.around.faults.isDeaf === true) return;
    this.framesForwarded++;
    this.#step({ type: 'late-frame', bytes });
  }

  died(): void {
    this.#died = true;
  }

  /** The clock, or the machine's wish, has changed. */
  mind(): void {
    const wakeNs = this.#machine.nextWakeNs();
    if (wakeNs !== Number.POSITIVE_INFINITY) this.#waker.mind(Math.max(0, this.#host.worldNs(wakeNs)));
  }

  // ── the line ────────────────────────────────────────────────────────────────────────────────────

  #dial(): void {
    const link = this.#host.stack.connect('control');
    this.#control = link;
    this.#dialled++;
    link.onItem = (item) =>
      this.#host.after(this.#host.costs.messageNs, () => this.#item(link, item as ControlItem));
    // Behind what had arrived before: a last word is heard although the line ends with it.
    link.onLost = (text) => this.#host.after(this.#host.costs.messageNs, () => this.#linkLost(link, text));
  }

  #item(link: Link, item: ControlItem): void {
    if (link !== this.#control || this.isOver) return;
    if (item.type === 'message') return this.#received(messageIn(item.bytes));
    if (item.type !== 'welcome' || this.#line === 'open') return;
    this.#line = 'open';
    this.#host.note('the line stands again');
    this.#step({ type: 'reconnected' });
    this.#askAgainLater(link);
  }

  /** A source in doubt that got no answer, or `undecided`, asks once more over a new line. */
  #askAgainLater(link: Link): void {
    this.#host.after(ASK_AGAIN_REDIALS * this.#host.around.redialNs, () => {
      if (link === this.#control && this.#machine.phase === 'in-doubt')
        this.#lineLost('the doubt is not settled');
    });
  }

  #linkLost(link: Link, text: string): void {
    if (link === this.#control && !this.isOver) this.#lineLost(text);
  }

  #lineLost(text: string): void {
    if (this.isOver) return;
    const wasBroken = this.#line === 'broken';
    this.#line = 'broken';
    if (this.#control?.isOpen) this.#control.vanish();
    this.#control = null;
    this.#flights++;
    this.#pages.abandon();
    if (!wasBroken) {
      this.linkBreaks++;
      this.#host.around.judge.excuses.framesDelayed = true;
      this.#step({ type: 'connection-lost', text });
    }
    this.#dialLater();
  }

  #dialLater(): void {
    const dialled = this.#dialled;
    this.#host.after(this.#host.around.redialNs, () => {
      if (this.isOver || this.#line !== 'broken' || dialled !== this.#dialled) return;
      this.#dial();
      sendWord(this.#control!, { type: 'hello', migrationId: this.migrationId });
    });
  }

  #received(message: Message): void {
    this.#host.note(`received ${message.type}`);
    if (message.type === 'started') {
      this.destination = message.times;
      this.times.startedReceivedNs = this.#host.nowNs();
    }
    if (message.type === 'hashes') this.#compare(message.firstPfn, message.hashes);
    this.#step({ type: 'received', message });
    // The page links are dialled while the round trip is measured.
    if (message.type === 'accept' && this.#machine.phase === 'probing') this.#pages.open();
  }

  #compare(firstPfn: number, hashes: Uint8Array): void {
    const view = new DataView(hashes.buffer, hashes.byteOffset, hashes.length);
    const { lo, hi } = this.#host.guest.memory;
    for (let i = 0; i * 8 + 8 <= hashes.length; i++) {
      const pfn = firstPfn + i;
      this.hashesCompared++;
      if (view.getUint32(i * 8, true) !== lo[pfn] || view.getUint32(i * 8 + 4, true) !== hi[pfn])
        this.hashesDiffering++;
    }
  }

  // ── the machine ─────────────────────────────────────────────────────────────────────────────────

  #woke(): void {
    if (this.isOver || this.#host.source !== this) return;
    if (this.#machine.nextWakeNs() <= this.#host.nowNs()) this.#step(WOKE);
    else this.mind();
  }

  /** Gives the machine an event and carries out all that follows from it; what one action adds queues behind it. */
  #step(event: SourceEvent): void {
    if (this.#died) return;
    if (this.#steps.give(this.#host.nowNs(), event)) this.mind();
  }

  #carryOut(action: SourceAction): void {
    const { guest, costs, around } = this.#host;
    switch (action.type) {
      case 'send':
        this.#send(action.message);
        break;
      case 'harvest':
        this.#host.after(costs.harvestNs + guest.dirty.count() * costs.harvestPageNs, () =>
          this.#harvested(),
        );
        break;
      case 'send-pages':
        if (action.missing !== null) this.#table.forget(action.missing);
        this.#sendingFinal = action.final;
        if (action.final) this.#sendFinal(action.round, action.pages, action.missing?.count() ?? 0);
        else this.#pages.begin(action.round, action.pages, false);
        break;
      case 'serve-pages':
        this.#pages.serve(action.round, action.pages, action.hot, this.#host.worldNs(action.pushFromNs));
        break;
      case 'slow-guest':
        guest.catchUp(around.time.nowNs);
        guest.share = 1 - action.share;
        break;
      case 'pause-guest':
        this.#pause();
        break;
      case 'save-state':
        this.#host.after(costs.saveStateNs, () => {
          const state = encodeDeviceState({ mac: new Uint8Array(6), ip: 0, ranNs: around.time.nowNs });
          this.times.stateSavedNs = this.#host.nowNs();
          this.#step({ type: 'state-saved', state, stateHash: stateDigest(state) });
        });
        break;
      case 'resume-guest':
        this.#resume();
        break;
      case 'record':
        this.#record(action.record);
        break;
      case 'forward-late-frames':
        this.#forwarding = true;
        for (const bytes of [...guest.takeFrames(), ...this.#host.takeWaiting()]) this.lateFrame(bytes);
        break;
      case 'deliver-late-frames':
        for (const bytes of action.frames) guest.receive(around.time.nowNs, bytes);
        break;
      case 'release-guest':
        break;
      case 'report':
        this.#host.note(action.event.text);
        around.reported(this.#host.site, 'source', action.event);
        break;
      case 'finished':
        this.#finished(action);
        break;
    }
  }

  #send(message: Message): void {
    if (this.#control === null) return;
    if (message.type === 'offer') return this.#offer(message);
    if (message.type === 'final') {
      this.#host.around.judge.finalSent(this.migrationId);
      this.times.finalSentNs = this.#host.nowNs();
    }
    this.#host.note(`sends ${message.type}`);
    sendMessage(this.#control, message);
  }

  /** Keys are agreed on before it leaves. */
  #offer(message: Message): void {
    const link = this.#control!;
    this.#host.after(this.#host.costs.prepareNs, () => {
      if (link !== this.#control || this.#machine.phase !== 'offering') return;
      this.#host.note(`sends ${message.type}`);
      sendMessage(link, message);
    });
  }

  #harvested(): void {
    const { guest, around } = this.#host;
    guest.catchUp(around.time.nowNs);
    guest.isTracking = true;
    const dirty = guest.dirty.clone();
    guest.dirty.clear();
    const dirtyPages = dirty.count();
    if (around.faults.hiddenPfn !== undefined) dirty.delete(around.faults.hiddenPfn);
    if (this.times.guestPausedNs > 0) this.times.harvestedNs = this.#host.nowNs();
    this.#step({ type: 'harvested', dirty, dirtyPages });
  }

  #pause(): void {
    const pausing = ++this.#pausing;
    const { costs } = this.#host;
    this.#host.after(costs.poiseNs, () => {
      if (pausing !== this.#pausing) return; // taken back
      this.times.pauseCalledNs = this.#host.nowNs();
      this.#host.after(costs.parkNs, () => {
        if (pausing !== this.#pausing) return;
        this.#host.guest.stop(this.#host.around.time.nowNs);
        this.times.guestPausedNs = this.#host.nowNs();
        this.#step({ type: 'guest-paused' });
      });
    });
  }

  #sendFinal(round: number, pages: PageSet, missing: number): void {
    const { costs } = this.#host;
    const flight = ++this.#flights;
    this.#host.after(costs.finalNs + missing * costs.missingPageNs, () => {
      if (flight === this.#flights && !this.isOver) this.#pages.begin(round, pages, true);
    });
  }

  #resume(): void {
    const { guest, around } = this.#host;
    this.#pausing++;
    this.#flights++;
    this.#pages.stop();
    this.#forwarding = false;
    if (!guest.isRunning) {
      around.judge.resumes(this.#host, this.migrationId);
      guest.start(around.time.nowNs);
    }
    for (const bytes of this.#host.takeWaiting()) guest.receive(around.time.nowNs, bytes);
  }

  #record(record: 'COMMIT' | 'ENDED'): void {
    this.#host.append(record, this.#epoch, this.migrationId, (ok) => {
      if (record === 'COMMIT') this.times.commitRecordedNs = this.#host.nowNs();
      this.#step(
        ok ? { type: 'recorded', record } : { type: 'record-failed', record, text: 'the disk is full' },
      );
    });
  }

  #roundSent(sent: RoundSent): void {
    if (this.#sendingFinal) {
      this.final = sent;
      this.times.pagesSentNs = this.#host.nowNs();
    }
    this.#step({ type: 'round-sent', ...sent, setHash: this.#table.setHash.value() });
  }

  #finished({ outcome, code, text }: SourceEnd): void {
    this.#host.note(`source finished: ${outcome} ${code}`);
    this.ends.push({ outcome, code, text });
    if (outcome === 'in-doubt') {
      // The line may stand and only the answer be missing: then it is asked for on this line.
      if (this.#line !== 'broken') this.#lineLost(text);
      return;
    }
    this.#forwarding = false;
    this.#pages.stop();
    this.#control?.close();
    this.#host.guest.isTracking = false;
    if (outcome === 'completed') this.#host.guest.clear();
  }
}
