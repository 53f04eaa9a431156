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
  ENCODED_MINOR,
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
  type Link,
  type LinkPoller,
  type MissingServer,
  newRegion,
  PageSender,
  PageServer,
  type Preamble,
  type RoundSender,
  regionOf,
  type UdpLink,
  UdpPageSender,
  UdpPageServer,
  udpLinkOf,
} from '../vmotion-protocol/transport/index.js';
import { ControlChannel } from './control-channel.js';
import type {
  HostReport,
  MigrationOrders,
  RoundReport,
  ServedPages,
  SourceReport,
  TransportOrders,
} from './ipc.js';
import type { GuestKeeper } from './kept-guest.js';
import { LinkWatch } from './link-watch.js';
import type { MovingGuest } from './moving-guest.js';
import type { Passing } from './named-points.js';
import type { PageTable } from './page-table.js';
import type { RecordStore } from './records.js';
import { codecsToOffer, SourcePipeline } from './source-pipeline.js';
import { hashOfState } from './state-hash.js';
import { type TransportFigures, transportFigures } from './transport-figures.js';

const PARK_LIMIT_MS = 1000;
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
  /** From ARM until the guest runs this thread is urgent (`urgency.ts`). */
  readonly hurry: (on: boolean) => void;
  /** The peer has the guest's place ready; this is the name of the store in which it will decide. */
  readonly onAccepted: (storeId: string) => void;
  /** Keeps what stands committed beyond this process; null where its memory is not kept. */
  readonly keeper: GuestKeeper | null;
  /** Called at the points of the move that have a name (`named-points.ts`). */
  readonly passing: Passing;
  /** The guest stands here, to start elsewhere. */
  readonly onPaused: () => void;
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
  #control: ControlChannel;
  #streams: Link[] = [];
  #sender: RoundSender | null = null;
  #server: MissingServer | null = null;
  #pipeline: SourcePipeline | null = null;
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
  #compared = 0;
  #differing = 0;
  #progressNs = 0;
  #held: HostReport[] | null = null;
  #lost = false;
  readonly #watch = new LinkWatch();
  /** Control links dialled before this one. */
  #attempt = 0;
  #pings = 0;
  /** Pages that had been given to the links that broke, until it shows which of them came. */
  #handedOver: PageSet | null = null;
  /** Pages still to be served when the links broke; -1 when none were being served. */
  #unserved = -1;
  #resent = 0;
  #transport: TransportFigures | null = null;
  #breaks = 0;
  #served: ServedPages | null = null;
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
    this.#control = this.#dial();
    parts.report({ type: 'phase', phase: 'offer' });
    this.#step({ type: 'start' });
  }

  /** The latest time at which `service` is to be called again; now when there is work at hand. */
  nextWakeNs(): number {
    if (this.#sender?.eager) return 0;
    if (this.#server?.eager) return this.#pushFromNs;
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
    if (
      this.#server !== null &&
      !this.finished &&
      !this.#lost &&
      !this.#server.pump(nowNs() >= this.#pushFromNs)
    )
      this.#lose('VMOTION_CONNECTION_LOST', 'a page link broke');
    if (!this.finished && this.#machine.nextWakeNs() <= nowNs()) this.#step(WOKE);
  }

  #lookAfterLink(): void {
    switch (this.#watch.poll(nowNs())) {
      case 'ask':
        this.#control.send({ type: 'ping', seq: HEARTBEAT_SEQ + this.#pings++ });
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

  #dial(): ControlChannel {
    const control = new ControlChannel(this.#parts.poller.connect(), this.#parts.poller);
    control.sendBytes(this.#preamble('control', 0));
    return control;
  }

  #preamble(kind: Preamble['kind'], stream: number): Uint8Array {
    return encodePreamble({ kind, stream, attempt: this.#attempt, migrationId: this.#id });
  }

  /** A violation's answer leaves before the link counts as lost; a message of a later version is no end. */
  #lose(code: string, text: string): void {
    if (this.#lost) return;
    if (code !== 'VMOTION_CONNECTION_LOST') this.#step({ type: 'violation', code, text });
    if (this.finished || code === 'VMOTION_MESSAGE_UNKNOWN') return;
    this.#lost = true;
    const gone = this.#control.link.refused === true;
    this.#dropLinks();
    this.#watch.broke(nowNs());
    this.#step({ type: 'connection-lost', text });
    if (gone && !this.finished)
      this.#step({ type: 'peer-gone', text: 'the process of the destination is gone' });
  }

  /** The links of an attempt go together. What they were given may have arrived: LACKS will say. */
  #dropLinks(): void {
    this.#control.close();
    for (const link of this.#streams) link.close();
    this.#streams = [];
    this.#pipeline?.linksLost();
    if (this.#sender === null) return;
    this.#breaks++;
    this.#handedOver = this.#sender.handedOver();
    this.#unserved = this.#server?.began ? this.#server.unserved : -1;
    this.#served = this.#servedPages();
    this.#server?.close();
    this.#server = null;
    this.#sender = null;
  }

  /** Of what is sent now, what had been given to the links that broke. */
  #countResent(pages: PageSet): void {
    if (this.#handedOver === null) return;
    this.#handedOver.intersect(pages);
    this.#resent += this.#handedOver.count();
    this.#handedOver = null;
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
      this.#pipeline?.roundDone(message);
    }
    if (message.type === 'accept') this.#parts.onAccepted(message.storeId);
    if (message.type === 'hashes' && this.#orders.verify) this.#compare(message.firstPfn, message.hashes);
    this.#step({ type: 'received', message });
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
    const sender = this.#sender;
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
          this.#parts.hurry(true);
          if (this.#orders.holdNs === 0) this.#parts.report({ type: 'phase', phase: 'switchover' });
          this.#pipeline?.dropped(decodePageSet(guest.memory.pages, action.message.left)!);
        }
        if (action.message.type === 'final') {
          this.#control.send(action.message);
          this.#times.finalSentNs = nowNs();
          this.#parts.passing('final-sent');
          // From here on the destination is waited for, on a small machine for the very cores this runs on.
          this.#parts.hurry(false);
        } else if (!this.#lost) {
          this.#control.send(action.message);
        }
        break;
      case 'harvest': {
        if (!this.#tracking) {
          guest.dirtyLog.start();
          this.#tracking = true;
        }
        const dirty = new PageSet(guest.memory.pages);
        const dirtyPages = guest.dirtyLog.harvest(dirty);
        if (this.#orders.hiddenPfn !== null) dirty.delete(this.#orders.hiddenPfn);
        if (this.#times.guestPausedNs > 0) this.#times.harvestedNs = nowNs();
        this.#step({ type: 'harvested', dirty, dirtyPages });
        break;
      }
      case 'send-pages':
        this.#sender ??= this.#openPages();
        this.#countResent(action.pages);
        this.#sendingFinal = action.final;
        this.#sendingRound = action.round;
        this.#sendingPages = action.final ? 0 : action.pages.count();
        this.#roundStartNs = nowNs();
        if (action.missing !== null) {
          table.forget(action.missing);
          this.#lacking = action.missing.next(0) >= 0;
          this.#pipeline?.dropped(action.missing);
        }
        this.#sender.begin(action.round, action.pages, action.final);
        if (!action.final && this.#rounds.length === 0)
          this.#parts.report({ type: 'phase', phase: 'pre-copy' });
        this.#pump();
        break;
      case 'serve-pages':
        this.#sender ??= this.#openPages();
        if (this.#unserved >= 0) this.#resent += Math.max(0, action.pages.count() - this.#unserved);
        this.#unserved = -1;
        this.#server!.begin(action.round, action.pages, action.hot);
        this.#pushFromNs = action.pushFromNs;
        break;
      case 'slow-guest':
        guest.control.slow(action.share);
        break;
      case 'pause-guest':
        this.#hold();
        this.#held = [];
        this.#times.pauseCalledNs = nowNs();
        guest.control.pause();
        this.#parts.onPaused();
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
        break;
      case 'resume-guest':
        this.#forwarding = false;
        this.#parts.hurry(false);
        this.#releaseHeld();
        this.#times.guestPausedNs = 0;
        this.#final = { pages: 0, zero: 0, bytes: 0 };
        this.#server?.close();
        this.#server = null;
        guest.control.resume();
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
    if (this.#orders.holdNs === 0 || this.#breaks > 0) return;
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

  /** Pages travel beside the control stream where the transport can, else on links of their own. */
  #openPages(): RoundSender {
    const udp = udpLinkOf(this.#control.link);
    return udp === null ? this.#openStreams() : this.#openDatagrams(udp);
  }

  #openDatagrams(link: UdpLink): UdpPageSender {
    const { poller, guest, table, transport } = this.#parts;
    const memory = regionOf(guest.memory.bytes);
    const sender = new UdpPageSender(memory, table, link, transport.kind === 'udp' && transport.fec);
    sender.corruptPfn = this.#orders.corruptPfn ?? -1;
    if (this.#machine.mode !== 'pre-copy') {
      const demand = poller.connect();
      const preamble = this.#preamble('demand', 0);
      this.#server = new UdpPageServer(sender, guest.memory.bytes.length, poller, demand, preamble);
    }
    return sender;
  }

  #openStreams(): PageSender {
    const { poller, guest, table, codecs, transport } = this.#parts;
    for (let i = 0; i < this.#orders.streams; i++) {
      const link = poller.connect();
      if (transport.rateBps !== null) link.limitRate?.(transport.rateBps / this.#orders.streams);
      this.#streams.push(link);
    }
    const preambles = this.#streams.map((_, stream) => this.#preamble('pages', stream));
    if (this.#machine.minor >= ENCODED_MINOR && this.#pipeline === null) {
      const codec = codecs.get(this.#machine.codec);
      this.#pipeline = new SourcePipeline(guest.memory, table, this.#orders.pipeline, codec);
    }
    const memory = regionOf(guest.memory.bytes);
    const encoder = this.#pipeline?.encoder ?? null;
    const sender = new PageSender(memory, table, poller, this.#streams, preambles, encoder);
    sender.corruptPfn = this.#orders.corruptPfn ?? -1;
    if (this.#machine.mode !== 'pre-copy') this.#server = this.#openServer(sender);
    return sender;
  }

  /** Its link stands before the pause, so that the first request finds it open. */
  #openServer(sender: PageSender): PageServer {
    const { poller, guest, table } = this.#parts;
    const demand = poller.connect();
    const preamble = this.#preamble('demand', 0);
    const memory = regionOf(guest.memory.bytes);
    const encoder = this.#pipeline?.encoder ?? null;
    const server = new PageServer(memory, table, poller, sender.lanes, demand, preamble, encoder);
    server.corruptPfn = this.#orders.corruptPfn ?? -1;
    return server;
  }

  /** Over all links that there were. */
  #servedPages(): ServedPages | null {
    const before = this.#served;
    const server = this.#server;
    if (server === null || !server.began) return before;
    return {
      demanded: server.pagesDemanded + (before?.demanded ?? 0),
      pushed: server.pagesPushed + (before?.pushed ?? 0),
      zero: server.zeroPages + (before?.zero ?? 0),
      again: server.pagesAgain + (before?.again ?? 0),
      bytes: server.bytes + (before?.bytes ?? 0),
    };
  }

  /** A doubt is no end: the guest stands, its memory is kept, and the peer is asked as soon as it can be reached. */
  #ended(outcome: SourceReport['outcome'], code: string, text: string): void {
    this.#parts.hurry(false);
    this.#releaseHeld();
    this.#transport = transportFigures(this.#streams.length > 0 ? this.#streams : [this.#control.link]);
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
    for (const link of this.#streams) link.close();
    this.#served = this.#servedPages();
    this.#server?.close();
    this.#server = null;
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
        served: this.#servedPages(),
        transport: this.#transport,
        pipeline: this.#pipeline?.report() ?? null,
        framesForwarded: this.#forwarded,
        linkBreaks: this.#breaks,
        pagesResent: this.#resent,
        memoryIdentical: this.#compared === pages ? this.#differing === 0 : null,
        pagesDiffering: this.#differing,
      },
    });
  }
}
