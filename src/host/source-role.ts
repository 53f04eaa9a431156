/**
 * The source's side of one migration, driven in real time: the machine of `vmotion-protocol` decides, this does.
 *
 *   machine ─► pause, harvest, pages, COMMIT, FINAL … ─► guest control, dirty log, page sender, records, links
 *
 * Everything between the pause call and the last byte of FINAL happens in one call stack of this thread: no
 * event loop, no message, no allocation worth speaking of stands in between.
 * Longer than 400 lines for that: the actions of the pause are carried out side by side, in the order they happen.
 */
import { PageSet, WOKE } from '../core/index.js';
import { nowNs, receiveBytes } from '../sys/index.js';
import {
  type ConvergenceVerdict,
  decodePageSet,
  type Message,
  type RoundStats,
  Source,
  type SourceAction,
  type SourceEvent,
  type SourceOptions,
  type StartedTimes,
} from '../vmotion-protocol/index.js';
import {
  ATTEMPT_MASK,
  type Codecs,
  encodePreamble,
  type LinkPoller,
  newRegion,
} from '../vmotion-protocol/transport/index.js';
import { ControlChannel } from './control-channel.js';
import type { HostReport, MigrationOrders, RoundReport, SourceReport, TransportOrders } from './ipc.js';
import type { GuestKeeper } from './kept-guest.js';
import { LinkWatch } from './link-watch.js';
import type { MovingGuest } from './moving-guest.js';
import type { Passing } from './named-points.js';
import type { PageTable } from './page-table.js';
import type { RecordStore } from './records.js';
import { SourcePages } from './source-pages.js';
import { codecsToOffer } from './source-pipeline.js';
import { hashOfState } from './state-hash.js';
import type { TransportFigures } from './transport-figures.js';
import type { Urgency } from './urgency.js';

const PARK_LIMIT_MS = 1000;
/** A flight that takes longer than this to leave leaves others their time. */
const URGENT_NS = 50_000_000;
const PROGRESS_EVERY_NS = 100_000_000;
const NIC_BYTES = 65_536;
const NO_STATE = new Uint8Array(0);
/** PINGs of the link's watch count from here, those of the machine's probes from 0. */
const HEARTBEAT_SEQ = 0x8000_0000;

export interface SourceParts {
  readonly guest: MovingGuest;
  readonly guestName: string;
  readonly nicFd: number;
  readonly table: PageTable;
  readonly records: RecordStore;
  readonly poller: LinkPoller;
  readonly transport: TransportOrders;
  readonly codecs: Codecs;
  readonly report: (report: HostReport) => void;
  /** How much of a hurry this thread is in from now on (`urgency.ts`). */
  readonly urgency: (urgency: Urgency) => void;
  /** Plays once what a pause takes, so that code and data are at the processor's hand (`rehearsal.ts`). */
  readonly warmUp: () => void;
  /** The peer has the guest's place ready; this is the name of the store in which it will decide. */
  readonly onAccepted: (storeId: string) => void;
  /** Keeps what stands committed beyond this process; null where its memory is not kept. */
  readonly keeper: GuestKeeper | null;
  /** Called at the points of the move that have a name (`named-points.ts`). */
  readonly passing: Passing;
  /** The guest stands here, to start elsewhere. */
  readonly onPaused: () => void;
  /** A guest that may have run elsewhere meanwhile runs here again. */
  readonly onReturned: () => void;
  /** The guest has moved: its memory here belongs to nobody any more. */
  readonly onReleased: () => void;
}

export class SourceRole {
  readonly #parts: SourceParts;
  readonly #orders: MigrationOrders;
  readonly #machine: Source;
  readonly #actions: SourceAction[] = [];
  readonly #id: Uint8Array;
  readonly #nic = newRegion(NIC_BYTES);
  readonly #startNs = nowNs();
  readonly #carrier: SourcePages;
  #control: ControlChannel;
  #pushFromNs = 0;
  #rounds: RoundReport[] = [];
  readonly #times = {
    pauseCalledNs: 0,
    guestPausedNs: 0,
    harvestedNs: 0,
    stateSavedNs: 0,
    pagesSentNs: 0,
    commitRecordedNs: 0,
    finalSentNs: 0,
  };
  #destination: StartedTimes | null = null;
  #startedReceivedNs = 0;
  #sendingFinal = false;
  #sendingRound = 0;
  #sendingPages = 0;
  #final = { pages: 0, zero: 0, bytes: 0 };
  #savedState: Uint8Array = NO_STATE;
  /** The destination lacks pages when it starts. */
  #lacking = false;
  #forwarding = false;
  #forwarded = 0;
  #tracking = false;
  #early: PageSet | null = null;
  #urgentUntilNs = Number.POSITIVE_INFINITY;
  #compared = 0;
  #differing = 0;
  #progressNs = 0;
  #held: HostReport[] | null = null;
  #lost = false;
  readonly #watch = new LinkWatch();
  /** Control links dialled before this one. */
  #attempt = 0;
  #pings = 0;
  #transport: TransportFigures | null = null;
  finished = false;

  constructor(orders: MigrationOrders, parts: SourceParts) {
    this.#orders = orders;
    this.#parts = parts;
    this.#id = Buffer.from(orders.migrationId, 'hex');
    const options: SourceOptions = {
      migrationId: orders.migrationId,
      guest: parts.guestName,
      epoch: orders.epoch,
      pages: parts.guest.memory.pages,
      shape: parts.guest.shape,
      streams: orders.streams,
      storeId: Buffer.from(parts.records.storeId).toString('hex'),
      mode: orders.mode,
      slowGuest: orders.slowGuest,
      codecs: codecsToOffer(orders.pipeline, parts.codecs),
      pauseTargetNs: orders.pauseTargetNs,
      maxRounds: orders.maxRounds,
      precopyLimitNs: orders.limitNs,
    };
    this.#machine = new Source(options);
    this.#carrier = new SourcePages(orders, parts);
    this.#control = this.#dial();
    parts.report({ type: 'phase', phase: 'offer' });
    this.#step({ type: 'start' });
  }

  /** The latest time at which `service` is to be called again; now when there is work at hand. */
  nextWakeNs(): number {
    if (this.#carrier.sender?.eager) return 0;
    if (this.#carrier.server?.eager) return this.#pushFromNs;
    return Math.min(this.#machine.nextWakeNs(), this.#watch.nextWakeNs());
  }

  get migrationId(): string {
    return this.#orders.migrationId;
  }

  /** Descriptor of the guest's NIC while late frames are forwarded, else -1. */
  get watchesNic(): boolean {
    return this.#forwarding;
  }

  cancel(text: string): void {
    this.#step({ type: 'cancel', text });
  }

  /** Settles a doubt by asking the peer, or by a word from outside. */
  resolve(verdict: 'ask' | 'running' | 'never', text: string): void {
    if (verdict !== 'ask') return this.#step({ type: 'resolved', verdict, text });
    if (!this.#lost) this.#lose('VMOTION_CONNECTION_LOST', text); // a new connection begins with ASK
  }

  /** Called after every wake-up: takes what came, sends what fits, lets time pass. */
  service(): void {
    if (this.finished) return;
    // Late frames before messages: a thread that slept through STARTED and all HASHES would finish the move with
    // frames still waiting at the guest's port, and their answers would be lost.
    if (this.#forwarding) this.#forward();
    if (!this.#lost) {
      const trouble = this.#control.flush()
        ? this.#control.receive((m) => this.#received(m))
        : { code: 'VMOTION_CONNECTION_LOST', text: 'the control connection broke' };
      if (trouble !== null && !this.finished) this.#lose(trouble.code, trouble.text);
    }
    if (!this.finished) this.#lookAfterLink();
    this.#pump();
    const { server } = this.#carrier;
    if (server !== null && !this.finished && !this.#lost && !server.pump(nowNs() >= this.#pushFromNs))
      this.#lose('VMOTION_CONNECTION_LOST', 'a page link broke');
    if (nowNs() > this.#urgentUntilNs) this.#calm();
    if (!this.finished && this.#machine.nextWakeNs() <= nowNs()) this.#step(WOKE);
  }

  #lookAfterLink(): void {
    switch (this.#watch.poll(nowNs())) {
      case 'ask':
        this.#ping();
        break;
      case 'lost':
        this.#lose('VMOTION_CONNECTION_LOST', 'the destination has fallen silent');
        break;
      case 'dial':
        this.#attempt = (this.#attempt + 1) & ATTEMPT_MASK;
        this.#control = this.#dial();
        this.#lost = false;
        this.#step({ type: 'reconnected' });
        break;
      case 'wait':
        break;
    }
  }

  #ping(): void {
    this.#control.send({ type: 'ping', seq: HEARTBEAT_SEQ + this.#pings++ });
  }

  #dial(): ControlChannel {
    const control = new ControlChannel(this.#parts.poller.connect(), this.#parts.poller);
    control.sendBytes(
      encodePreamble({ kind: 'control', stream: 0, attempt: this.#attempt, migrationId: this.#id }),
    );
    return control;
  }

  /** A violation's answer leaves before the link counts as lost; a message of a later version is no end. */
  #lose(code: string, text: string): void {
    if (this.#lost) return;
    if (code !== 'VMOTION_CONNECTION_LOST') this.#step({ type: 'violation', code, text });
    if (this.finished || code === 'VMOTION_MESSAGE_UNKNOWN') return;
    this.#lost = true;
    const gone = this.#control.link.refused === true;
    this.#control.close();
    this.#carrier.drop();
    this.#watch.broke(nowNs());
    this.#step({ type: 'connection-lost', text });
    if (gone && !this.finished)
      this.#step({ type: 'peer-gone', text: 'the process of the destination is gone' });
  }

  #received(message: Message): void {
    this.#watch.heard(nowNs());
    if (message.type === 'pong' && message.seq >= HEARTBEAT_SEQ) return;
    if (message.type === 'started') {
      this.#destination = message.times;
      this.#startedReceivedNs = nowNs();
      this.#parts.passing('started-heard');
    }
    // The poller may have sent a round's last bytes by itself, and the answer be here before this role has looked.
    if (message.type === 'round-done') {
      this.#pump();
      this.#carrier.roundDone(message);
    }
    if (message.type === 'accept') this.#parts.onAccepted(message.storeId);
    if (message.type === 'hashes' && this.#orders.verify) this.#compare(message.firstPfn, message.hashes);
    this.#step({ type: 'received', message });
    // The page links are dialled while the round trip is measured.
    if (message.type === 'accept' && this.#machine.phase === 'probing') this.#openCarrier();
    // The pause is over: reports that were kept out of it may go.
    if (message.type === 'started') this.#releaseHeld();
  }

  /** The proof, outside the pause: our paused memory, hashed again, against what the destination read back. */
  #compare(firstPfn: number, hashes: Uint8Array): void {
    const view = new DataView(hashes.buffer, hashes.byteOffset, hashes.length);
    const pages = this.#parts.guest.memory.pages;
    if (firstPfn === 0) this.#compared = this.#differing = 0; // told anew over a new connection
    for (let i = 0; i * 8 + 8 <= hashes.length && firstPfn + i < pages; i++) {
      this.#compared++;
      if (!this.#parts.table.matches(firstPfn + i, view, i)) this.#differing++;
    }
  }

  #forward(): void {
    for (;;) {
      const n = receiveBytes(this.#parts.nicFd, this.#nic.address, NIC_BYTES);
      if (n < 0) return;
      if (n < 14) continue;
      this.#forwarded++;
      this.#step({ type: 'late-frame', bytes: this.#nic.bytes.slice(0, n) });
    }
  }

  #pump(): void {
    const { sender } = this.#carrier;
    if (sender === null || !sender.busy || this.finished) return;
    const state = sender.pump();
    if (state === 'broken') return this.#lose('VMOTION_CONNECTION_LOST', 'a page stream broke');
    const now = nowNs();
    if (now - this.#progressNs > PROGRESS_EVERY_NS && !this.#sendingFinal) {
      this.#progressNs = now;
      const sent = sender.pagesSent + sender.zeroPages;
      const rateBps = (sender.bytes * 8e9) / Math.max(1, now - this.#roundStartNs);
      this.#parts.report({
        type: 'pages',
        round: this.#sendingRound,
        sent,
        total: this.#sendingPages,
        rateBps,
      });
    }
    if (state !== 'done') return;
    if (this.#sendingFinal) {
      this.#times.pagesSentNs = nowNs();
      this.#final.pages += sender.pagesSent;
      this.#final.zero += sender.zeroPages;
      this.#final.bytes += sender.bytes;
    }
    this.#step({
      type: 'round-sent',
      round: this.#sendingRound,
      pages: sender.pagesSent,
      zeroPages: sender.zeroPages,
      bytes: sender.bytes,
      setHash: this.#parts.table.setHash.value(),
    });
  }

  #roundStartNs = 0;

  /** Gives the machine an event and carries out all that follows from it. */
  #step(event: SourceEvent): void {
    const first = this.#actions.length;
    this.#machine.step(nowNs(), event, this.#actions);
    // Carrying out one action may add others: they queue behind it.
    if (first > 0) return;
    for (let i = 0; i < this.#actions.length; i++) this.#carryOut(this.#actions[i]!);
    this.#actions.length = 0;
  }

  #carryOut(action: SourceAction): void {
    const { guest, records, table } = this.#parts;
    switch (action.type) {
      case 'send':
        if (action.message.type === 'arm') {
          this.#parts.urgency('prompt');
          guest.control.rehearseStop();
          if (this.#orders.holdNs === 0) this.#parts.report({ type: 'phase', phase: 'switchover' });
          const left = decodePageSet(guest.memory.pages, action.message.left)!;
          this.#carrier.dropped(left);
          table.forget(left);
        }
        if (action.message.type === 'final') {
          this.#control.send(action.message);
          this.#times.finalSentNs = nowNs();
          this.#parts.passing('final-sent');
          // From here on the destination is waited for, on a small machine for the very cores this runs on.
          this.#calm();
        } else if (!this.#lost) {
          this.#control.send(action.message);
        }
        break;
      case 'harvest': {
        if (!this.#tracking) {
          guest.dirtyLog.start();
          this.#tracking = true;
        }
        const early = this.#early;
        this.#early = null;
        const dirty = early ?? new PageSet(guest.memory.pages);
        const found = guest.dirtyLog.harvest(dirty);
        const dirtyPages = early === null ? found : dirty.count();
        if (this.#orders.hiddenPfn !== null) dirty.delete(this.#orders.hiddenPfn);
        if (this.#times.guestPausedNs > 0) this.#times.harvestedNs = nowNs();
        this.#step({ type: 'harvested', dirty, dirtyPages });
        break;
      }
      case 'send-pages':
        this.#openCarrier();
        this.#sendingFinal = action.final;
        this.#sendingRound = action.round;
        this.#sendingPages = action.final ? 0 : action.pages.count();
        this.#roundStartNs = nowNs();
        if (action.missing !== null) {
          table.forget(action.missing);
          this.#lacking = action.missing.next(0) >= 0;
          this.#carrier.dropped(action.missing);
        }
        this.#carrier.begin(action.round, action.pages, action.final);
        if (!action.final && this.#rounds.length === 0)
          this.#parts.report({ type: 'phase', phase: 'pre-copy' });
        this.#pump();
        break;
      case 'serve-pages':
        this.#openCarrier();
        this.#carrier.serve(action.round, action.pages, action.hot);
        this.#pushFromNs = action.pushFromNs;
        break;
      case 'slow-guest':
        guest.control.slow(action.share);
        break;
      case 'pause-guest':
        this.#hold();
        this.#held = [];
        this.#parts.warmUp();
        // FINAL is near: the destination warms up too.
        if (!this.#lost) this.#ping();
        this.#harvestEarly();
        this.#parts.warmUp();
        this.#parts.urgency('pausing');
        this.#urgentUntilNs = nowNs() + URGENT_NS;
        this.#times.pauseCalledNs = nowNs();
        guest.control.pause();
        // Not before it is told to stand: on one core a busy guest would keep this thread from telling it.
        guest.control.urge(true);
        if (!guest.control.waitParked(PARK_LIMIT_MS)) {
          this.#step({ type: 'cancel', text: 'the guest does not stand still' });
          break;
        }
        this.#times.guestPausedNs = nowNs();
        this.#step({ type: 'guest-paused' });
        break;
      case 'save-state': {
        const state = guest.saveState();
        const stateHash = hashOfState(state);
        this.#times.stateSavedNs = nowNs();
        this.#savedState = state;
        this.#step({ type: 'state-saved', state, stateHash });
        break;
      }
      case 'record': {
        const record = {
          kind: action.record,
          epoch: this.#orders.epoch,
          migrationId: this.#id,
          guest: this.#parts.guestName,
        };
        if (action.record === 'COMMIT') this.#parts.passing('before-commit');
        try {
          if (action.record === 'COMMIT') this.#keep();
          records.append(record);
        } catch (e) {
          this.#step({ type: 'record-failed', record: action.record, text: (e as Error).message });
          break;
        }
        if (action.record === 'COMMIT') this.#times.commitRecordedNs = nowNs();
        this.#parts.passing(action.record === 'COMMIT' ? 'after-commit' : 'ended-recorded');
        this.#step({ type: 'recorded', record: action.record });
        break;
      }
      case 'forward-late-frames':
        this.#forwarding = true;
        this.#parts.onPaused();
        break;
      case 'resume-guest':
        this.#forwarding = false;
        this.#calm();
        this.#releaseHeld();
        this.#times.guestPausedNs = 0;
        this.#final = { pages: 0, zero: 0, bytes: 0 };
        this.#carrier.stopServing();
        guest.control.resume();
        if (this.#times.commitRecordedNs > 0) this.#parts.onReturned();
        break;
      case 'deliver-late-frames':
        for (const bytes of action.frames) guest.control.inject(bytes);
        break;
      case 'release-guest':
        this.#releaseHeld();
        if (this.#orders.verify) this.#parts.report({ type: 'phase', phase: 'verify' });
        break;
      case 'report':
        if (action.event.type === 'round') this.#noteRound(action.event.stats, action.event.verdict);
        this.#tell({ type: 'event', atNs: action.event.atNs, what: action.event.text });
        break;
      case 'finished':
        this.#ended(action.outcome, action.code, action.text);
        break;
    }
  }

  /** The moments are over in which everything waited for this thread and the guest's. */
  #calm(): void {
    this.#urgentUntilNs = Number.POSITIVE_INFINITY;
    this.#parts.urgency('at-ease');
    this.#parts.guest.control.urge(false);
  }

  /**
   * What the guest has written until just before it stands: the harvest of the pause walks page tables that the
   * processor has at hand then, and finds little. The next harvest, whenever it is ordered, takes this in.
   */
  #harvestEarly(): void {
    this.#early ??= new PageSet(this.#parts.guest.memory.pages);
    this.#parts.guest.dirtyLog.harvest(this.#early);
  }

  #keep(): void {
    this.#parts.keeper?.keep({
      migrationId: this.#id,
      epoch: this.#orders.epoch,
      incomplete: this.#lacking,
      state: this.#savedState,
    });
  }

  /** The guest runs on meanwhile. */
  #hold(): void {
    if (this.#orders.holdNs === 0 || this.#carrier.breaks > 0) return;
    this.#parts.report({ type: 'phase', phase: 'switchover' });
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, this.#orders.holdNs / 1e6);
  }

  #tell(report: HostReport): void {
    if (this.#held) this.#held.push(report);
    else this.#parts.report(report);
  }

  #releaseHeld(): void {
    for (const report of this.#held ?? []) this.#parts.report(report);
    this.#held = null;
  }

  #noteRound(stats: RoundStats, verdict: ConvergenceVerdict | null): void {
    const round: RoundReport = {
      round: stats.round,
      startNs: stats.startNs,
      endNs: stats.endNs,
      dirtyPages: stats.dirtyPages,
      pagesSent: stats.pagesSent,
      zeroPages: stats.zeroPages,
      bytes: stats.bytes,
      throughputBps: stats.throughputBps,
      dirtyRatePagesPerS: stats.dirtyRatePagesPerS,
      predictedPauseNs: verdict?.predictedPauseNs ?? null,
      etaNs: verdict?.etaNs ?? null,
      confidence: verdict?.confidence ?? null,
      verdict: verdict === null ? null : `${verdict.action}: ${verdict.outlook ?? verdict.reason}`,
    };
    this.#rounds.push(round);
    this.#tell({ type: 'round', round });
  }

  #openCarrier(): void {
    const { minor, codec, mode } = this.#machine;
    this.#carrier.open(this.#control.link, this.#attempt, { minor, codec, lacking: mode !== 'pre-copy' });
  }

  /** A doubt is no end: the guest stands, its memory is kept, and the peer is asked as soon as it can be reached. */
  #ended(outcome: SourceReport['outcome'], code: string, text: string): void {
    this.#calm();
    this.#releaseHeld();
    this.#transport = this.#carrier.figures(this.#control.link);
    if (outcome !== 'in-doubt') this.#letGo();
    this.#report(outcome, code, text);
    if (outcome === 'completed') this.#parts.onReleased();
  }

  #letGo(): void {
    this.finished = true;
    this.#forwarding = false;
    if (this.#tracking) this.#parts.guest.dirtyLog.stop();
    if (!this.#lost) this.#control.flush();
    this.#control.close();
    this.#carrier.close();
    this.#parts.table.clear();
  }

  #report(outcome: SourceReport['outcome'], code: string, text: string): void {
    const pages = this.#parts.guest.memory.pages;
    this.#parts.report({
      type: 'source-finished',
      report: {
        outcome,
        code,
        text,
        mode: this.#machine.mode,
        startNs: this.#startNs,
        startedReceivedNs: this.#startedReceivedNs,
        source: { ...this.#times },
        destination: this.#destination,
        rounds: this.#rounds,
        finalPages: this.#final.pages,
        finalZeroPages: this.#final.zero,
        finalBytes: this.#final.bytes,
        served: this.#carrier.served(),
        transport: this.#transport,
        pipeline: this.#carrier.pipelineReport(),
        framesForwarded: this.#forwarded,
        linkBreaks: this.#carrier.breaks,
        pagesResent: this.#carrier.resent,
        memoryIdentical: this.#compared === pages ? this.#differing === 0 : null,
        pagesDiffering: this.#differing,
      },
    });
  }
}
