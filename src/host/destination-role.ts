/**
 * The destination's side of one migration, driven in real time: the machine decides, this does.
 *
 * Before READY everything that can be made ready is: memory mapped, links open, the guest's thread at the start
 * line. After FINAL one call stack verifies, records RUNNING, starts the guest and announces it.
 * Longer than 400 lines for that: as in source-role.ts the actions are carried out side by side, in their order.
 */
import { availableParallelism } from 'node:os';
import { WOKE } from '../core/index.js';
import { PageDigester, RUNNING } from '../guest/memory/index.js';
import { nowNs, type PollSet, receiveBytes } from '../sys/index.js';
import {
  Destination,
  type DestinationAction,
  type DestinationEvent,
  ENCODED_MINOR,
  type Message,
  PageApplier,
  type TimelineEvent,
} from '../vmotion-protocol/index.js';
import {
  type Codecs,
  isLaterAttempt,
  type Link,
  type LinkPoller,
  newRegion,
  PageReceiver,
  type RoundReceiver,
  regionOf,
  UdpPageReceiver,
  udpLinkOf,
} from '../vmotion-protocol/transport/index.js';
import type { Announcements } from './announcements.js';
import type { ControlChannel } from './control-channel.js';
import type { HostReport } from './ipc.js';
import type { MemoryPopulation } from './memory-population.js';
import { MissingMemory } from './missing-memory.js';
import type { MovingGuest } from './moving-guest.js';
import type { Passing } from './named-points.js';
import type { PageTable } from './page-table.js';
import type { RecordStore } from './records.js';
import type { StandbyPlace } from './standby-place.js';
import { hashOfState } from './state-hash.js';
import type { Urgency } from './urgency.js';

/** Once the source has said that FINAL is near, it is looked for so long without sleeping. */
const FINAL_SPIN_NS = 20_000_000;
/**
 * With fewer cores a thread that spins takes the time from the guest that has to stop, or from the fabric; and one that
 * spins only where nobody else wants to run gets no core at all, for milliseconds (SCHED_IDLE, seen).
 */
const CORES_TO_SPIN = 4;
/** How long the guest's first step is awaited before anything else, and then between two looks for it. */
const START_WAIT_MS = 0.2;
const START_LOOK_NS = 20_000;
/** FINAL, and then the guest's start, are waited for in a hurry so long: a source whose link broke may take minutes. */
const URGENT_NS = 50_000_000;
const FRAME_BYTES = 2048;
/** Pages whose hashes one HASHES message carries. */
const HASHES_PAGES = 4096;

export interface DestinationParts {
  readonly guest: MovingGuest;
  readonly guestName: string;
  readonly announcements: Announcements;
  readonly nicFd: number;
  readonly table: PageTable;
  readonly records: RecordStore;
  readonly polls: PollSet;
  readonly poller: LinkPoller;
  readonly codecs: Codecs;
  /** Whether this machine catches faults on missing pages. */
  readonly catchesFaults: boolean;
  readonly report: (report: HostReport) => void;
  /** How much of a hurry this thread is in from now on (`urgency.ts`). */
  readonly urgency: (urgency: Urgency) => void;
  /** Plays once what a start takes, so that code and data are at the processor's hand (`rehearsal.ts`). */
  readonly warmUp: () => void;
  /** Called at the points of the move that have a name (`named-points.ts`). */
  readonly passing: Passing;
  /** Why this host cannot take the guest now, or null. */
  readonly refusal: string | null;
  /** Where the guest's memory will be. */
  readonly place: StandbyPlace;
  /** The guest runs here now. */
  readonly onRunning: (epoch: number) => void;
}

export class DestinationRole {
  readonly #parts: DestinationParts;
  #control: ControlChannel;
  #attempt: number;
  readonly #machine: Destination;
  readonly #actions: DestinationAction[] = [];
  readonly #receiver: RoundReceiver;
  #applier: PageApplier | null = null;
  readonly #frame = newRegion(FRAME_BYTES);
  readonly migrationId: string;
  /** While memory is made ready for the first page. */
  #population: MemoryPopulation | null = null;
  #missing: MissingMemory | null = null;
  #demandLink: Link | null = null;
  #armRound = 0;
  /** The first round of a demand link; 0 as long as none is read. */
  #demandRound = 0;
  #empty = false;
  #starting = false;
  #spinUntilNs = 0;
  /** There is a moment to warm up in. */
  #cued = false;
  #urgentUntilNs = Number.POSITIVE_INFINITY;
  /** Reports from FINAL to STARTED: telling them takes time that the guest would stand. */
  #held: HostReport[] | null = null;
  #filling = false;
  #hashesFrom = -1;
  #epoch = 0;
  #lost = false;
  finished = false;

  constructor(control: ControlChannel, attempt: number, migrationId: string, parts: DestinationParts) {
    this.#parts = parts;
    this.#control = control;
    this.#attempt = attempt;
    this.migrationId = migrationId;
    const { guest, table } = parts;
    const memory = regionOf(guest.memory.bytes);
    const events = {
      onRoundApplied: (round: number, pages: number) => {
        const missed = this.#applier?.takeMisses() ?? null;
        this.#step({ type: 'round-applied', round, pages, ...(missed === null ? {} : { missed }) });
      },
      onViolation: (code: string, text: string) => this.#lose(code, text),
    };
    const udp = udpLinkOf(control.link);
    this.#receiver =
      udp !== null
        ? new UdpPageReceiver(memory, guest.memory.pages, table, events, udp)
        : new PageReceiver(memory, guest.memory.pages, table, events);
    this.#machine = new Destination({
      guest: parts.guestName,
      pages: guest.memory.pages,
      shape: guest.shape,
      storeId: Buffer.from(parts.records.storeId).toString('hex'),
      catchesFaults: parts.catchesFaults,
      codecs: parts.codecs.names(Number.POSITIVE_INFINITY),
      epochOf: (name) => parts.records.highestEpoch(name),
      decisionOf: (id) => parts.records.decision(id),
    });
  }

  nextWakeNs(): number {
    if (this.finished) return Number.POSITIVE_INFINITY;
    if (this.#spinUntilNs > 0 && nowNs() > this.#spinUntilNs) this.#spinUntilNs = 0;
    if (this.#starting) return nowNs() + START_LOOK_NS;
    if (
      this.#population !== null ||
      this.#spinUntilNs > 0 ||
      this.#receiver.eager ||
      (this.#hashesFrom >= 0 && !this.#lost && this.#control.backlog === 0)
    )
      return 0;
    return Math.min(this.#machine.nextWakeNs(), this.#urgentUntilNs);
  }

  /** To be called when all that was to leave has left: makes use of the time until FINAL comes. */
  awaitFinal(): void {
    if (!this.#cued) return;
    this.#cued = false;
    this.#parts.warmUp();
    if (availableParallelism() >= CORES_TO_SPIN) this.#spinUntilNs = nowNs() + FINAL_SPIN_NS;
  }

  /** Whether the connection to the source is lost. */
  get lost(): boolean {
    return this.#lost;
  }

  /** The source is back: whatever it sent over earlier links and is not here yet is of no account. */
  reconnect(control: ControlChannel, attempt: number): void {
    // Dialled before the one that stands; where none stands, any other is better.
    if (attempt === this.#attempt || (!this.#lost && !isLaterAttempt(attempt, this.#attempt)))
      return control.close();
    this.#control.close();
    this.#control = control;
    this.#attempt = attempt;
    this.#receiver.reconnect(control.link);
    this.#hashesFrom = -1;
    if (!this.#lost) this.#step({ type: 'connection-lost', text: 'the source has dialled again' });
    this.#lost = false;
    this.#step({ type: 'reconnected' });
  }

  /** Another migration is offered while the source of this one is away. */
  supersede(text: string): void {
    this.#step({ type: 'superseded', text });
  }

  addStream(link: Link, stream: number, attempt: number): void {
    if (attempt !== this.#attempt) return link.close();
    this.#receiver.addStream(link, stream);
  }

  /** The link on which demanded pages come, and the requests for them leave. */
  addDemandLink(link: Link, attempt: number): void {
    if (attempt !== this.#attempt) return link.close();
    this.#demandLink?.close();
    this.#demandLink = link;
    if (this.#demandRound > 0) this.#useDemandLink();
  }

  service(): void {
    if (this.finished) return;
    this.#missing?.service();
    if (this.#starting) this.#mayHaveStarted();
    if (this.#population !== null) this.#populate();
    if (!this.#lost) {
      const trouble = this.#control.flush()
        ? this.#control.receive((m) => this.#received(m))
        : { code: 'VMOTION_CONNECTION_LOST', text: 'the control connection broke' };
      if (trouble !== null && !this.finished) this.#lose(trouble.code, trouble.text);
    }
    // A closed page stream alone proves nothing while the control channel lives: the machine's timers decide.
    if (!this.finished && !this.#lost) this.#receive();
    this.#sendHashes();
    if (nowNs() > this.#urgentUntilNs) this.#calm();
    if (!this.finished && this.#machine.nextWakeNs() <= nowNs()) this.#step(WOKE);
  }

  #populate(): void {
    if (!this.#population!.step()) return;
    this.#population = null;
    this.#step({ type: 'prepared' });
  }

  #receive(): void {
    this.#receiver.receive();
    if (!this.#filling || !this.#missing!.whole) return;
    this.#filling = false;
    this.#missing!.release();
    this.#parts.report({ type: 'guest-here', atNs: nowNs(), whole: true });
    this.#step({ type: 'all-present' });
  }

  #useDemandLink(): void {
    if (this.#demandLink === null || this.#missing === null) return;
    this.#missing.connect(this.#demandLink);
    this.#receiver.addDemandLink(this.#demandLink, this.#demandRound);
  }

  /** The guest's first step may need a page that is missing: then this thread has to fetch it, and cannot just wait. */
  #mayHaveStarted(): void {
    const { control } = this.#parts.guest;
    if (control.state !== RUNNING) return;
    this.#starting = false;
    this.#parts.passing('guest-started');
    this.#step({ type: 'guest-started', atNs: control.firstInstructionNs });
    this.#calm();
    this.#parts.report({ type: 'guest-here', atNs: control.firstInstructionNs, whole: !this.#filling });
  }

  /** A violation's answer leaves before the link counts as lost; a message of a later version is no end. */
  #lose(code: string, text: string): void {
    if (this.#lost) return;
    this.#hashesFrom = -1;
    if (code !== 'VMOTION_CONNECTION_LOST') this.#step({ type: 'violation', code, text });
    if (this.finished || code === 'VMOTION_MESSAGE_UNKNOWN') return;
    this.#lost = true;
    this.#control.close();
    this.#step({ type: 'connection-lost', text });
  }

  #received(message: Message): void {
    if (message.type === 'offer') this.#epoch = message.epoch;
    // The source says so just before its pause.
    if (message.type === 'ping') this.#cued = this.#armRound > 0 && this.#held === null;
    if (message.type === 'final') {
      this.#cued = false;
      this.#parts.passing('final-heard');
      this.#spinUntilNs = 0;
      this.#held ??= [];
      this.#urgentUntilNs = nowNs() + URGENT_NS;
    }
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
        if (action.message.type === 'started') this.#parts.passing('started-sent');
        break;
      case 'prepare':
        if (this.#parts.refusal !== null) {
          this.#step({ type: 'prepare-failed', code: 'VMOTION_BUSY', text: this.#parts.refusal });
          break;
        }
        table.clear();
        if (action.minor >= ENCODED_MINOR) {
          const codec = this.#parts.codecs.get(action.codec);
          this.#applier = new PageApplier(guest.memory.bytes, new PageDigester(), codec);
        }
        this.#receiver.begin(action.streams, this.#applier);
        this.#empty = action.mode === 'post-copy';
        this.#population = this.#parts.place.take(!this.#empty);
        if (action.mode !== 'pre-copy')
          this.#missing = new MissingMemory(guest.memory, this.#parts.polls, this.#parts.poller);
        this.#populate();
        break;
      case 'arm':
        // The port opens now: what reached it before, the source's guest has answered.
        while (receiveBytes(this.#parts.nicFd, this.#frame.address, FRAME_BYTES) >= 0);
        this.#parts.urgency('prompt');
        this.#armRound = action.round;
        // Behind the armed round comes the final flight, and behind that what was missing.
        this.#demandRound = action.round + 2;
        if (this.#missing !== null) {
          this.#applier?.lost(action.left);
          this.#missing.arm(action.left, this.#empty);
          table.forget(action.left);
          this.#receiver.stageFrom(action.round + 1, this.#missing);
          this.#useDemandLink();
        }
        this.#step({ type: 'armed' });
        this.#parts.urgency('starting');
        guest.control.spinAtStart(true);
        this.#cued = true;
        this.#urgentUntilNs = nowNs() + URGENT_NS;
        break;
      case 'verify': {
        if (this.#missing !== null) {
          table.forget(action.missing);
          this.#applier?.lost(action.missing);
          this.#missing.lack(action.missing);
          this.#filling = !this.#missing.whole;
        }
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
        this.#parts.passing(action.record === 'RUNNING' ? 'before-running' : 'before-never');
        try {
          records.append({
            kind: action.record,
            epoch: this.#epoch,
            migrationId: Buffer.from(this.migrationId, 'hex'),
            guest: this.#parts.guestName,
          });
          this.#parts.passing(action.record === 'RUNNING' ? 'after-running' : 'after-never');
          this.#step({ type: 'recorded', record: action.record });
        } catch (e) {
          this.#step({ type: 'record-failed', record: action.record, text: (e as Error).message });
        }
        break;
      case 'start-guest':
        guest.control.urge(true);
        guest.control.resume();
        this.#applier?.guestRuns();
        this.#missing?.begin();
        this.#receiver.release();
        this.#starting = true;
        // Sleeping after a moment, so that the guest's thread finds a core; not for long, since its step may need a page.
        guest.control.waitRunning(START_WAIT_MS);
        this.#mayHaveStarted();
        this.#parts.onRunning(this.#epoch);
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
      case 'take-up':
        this.#takeUp(action.round, action.final);
        break;
      case 'tell-missing':
        this.#step({
          type: 'missing-told',
          round: this.#receiver.cameRound,
          missing: this.#filling ? this.#missing!.missing() : this.#receiver.notCome(),
        });
        break;
      case 'discard':
        this.#population = null;
        this.#calm();
        this.#filling = false;
        this.#missing?.close();
        this.#missing = null;
        table.clear();
        this.#parts.place.clear();
        break;
      case 'report':
        this.#tell(action.event);
        break;
      case 'finished':
        this.#finish(action.outcome, action.code, action.text);
        break;
    }
  }

  /** Page and demand links come anew. Without the final flight to come, what was made ready for it is taken back. */
  #takeUp(round: number, final: boolean): void {
    this.#receiver.takeUp(round, final);
    this.#missing?.disconnect();
    this.#demandLink?.close();
    this.#demandLink = null;
    this.#armRound = final ? round - 1 : 0;
    this.#demandRound = final ? round + 1 : this.#filling ? round : 0;
    if (final || this.#filling) return;
    this.#calm();
    this.#spinUntilNs = 0;
  }

  /** The moments are over in which everything waits for this thread and the guest's. */
  #calm(): void {
    this.#urgentUntilNs = Number.POSITIVE_INFINITY;
    this.#parts.urgency('at-ease');
    this.#parts.guest.control.urge(false);
    for (const report of this.#held ?? []) this.#parts.report(report);
    this.#held = null;
  }

  /** A few hashes at a time, so that late frames and the guest's own traffic are not kept waiting. */
  #sendHashes(): void {
    const pages = this.#parts.guest.memory.pages;
    if (this.#hashesFrom < 0 || this.#lost || this.#control.backlog > 0) return;
    const count = Math.min(HASHES_PAGES, pages - this.#hashesFrom);
    this.#control.send({
      type: 'hashes',
      firstPfn: this.#hashesFrom,
      hashes: this.#parts.table.hashesOf(this.#hashesFrom, count),
    });
    this.#hashesFrom = this.#hashesFrom + count < pages ? this.#hashesFrom + count : -1;
  }

  #tell(event: TimelineEvent): void {
    const stalled = event.type === 'note' && event.code === 'VMOTION_POSTCOPY_STALLED';
    const what = stalled ? `${event.text}; ${this.#missing?.describeStalls() ?? ''}` : event.text;
    const report: HostReport = { type: 'event', atNs: event.atNs, what };
    if (this.#held !== null) this.#held.push(report);
    else this.#parts.report(report);
  }

  #finish(outcome: string, code: string, text: string): void {
    this.finished = true;
    this.#calm();
    this.#control.flush();
    this.#control.close();
    this.#receiver.close();
    this.#demandLink?.close();
    const missing = this.#missing?.figures ?? null;
    this.#missing?.close();
    this.#missing = null;
    const announcedNs = this.#parts.announcements.firstSentNs;
    const parityUsed = this.#control.link.figures?.()?.parityUsed ?? 0;
    // A stranger's question about a migration that was never offered here is nobody's end.
    if (this.#epoch > 0) {
      this.#parts.report({
        type: 'destination-finished',
        outcome,
        code,
        text,
        announcedNs,
        missing,
        parityUsed,
      });
    }
  }
}
