/**
 * A simulated host: a process with a clock of its own, a place for the guest, a stack, and durable records. It dies,
 * stands still and comes back; only its records survive.
 *
 *   up ──crash──► down ──restart──► up, with an empty place       frozen: what it would do is done when it thaws
 *
 * It listens for whoever wants a migration: a new offer makes a destination; `hello` takes a known one up again; and an
 * ASK for a migration of which no machine is left is answered from the records, as a restarted host does.
 */
import { answerAsk, type Message } from '../vmotion-protocol/index.js';
import { type ControlItem, messageIn, sendMessage, sendWord } from './control-line.js';
import type { HostCosts } from './costs.js';
import { DestinationDriver } from './destination-driver.js';
import type { GuestSpec } from './guest.js';
import { SimGuest } from './guest.js';
import type { Link } from './link.js';
import type { PageItem } from './page-items.js';
import type { SimRecords } from './records.js';
import type { SourceDriver } from './source-driver.js';
import type { Stack } from './stack.js';
import type { SiteName } from './stretched-segment.js';
import type { Surroundings } from './surroundings.js';

export class SimHost {
  readonly site: SiteName;
  readonly records: SimRecords;
  readonly stack: Stack;
  readonly around: Surroundings;
  guest: SimGuest;
  source: SourceDriver | null = null;
  destination: DestinationDriver | null = null;
  readonly #spec: GuestSpec;
  /** Frames at the guest's port that nobody has read yet. */
  #waiting: Uint8Array[] = [];
  /** Counts up when the process dies: what it had in hand is not done. */
  #life = 0;
  /** Migrations that are being renounced on an ASK. */
  readonly #renouncing = new Set<string>();
  #up = true;
  #frozenUntilNs = 0;
  #clockAheadNs = 0;
  readonly #guestPort: number;

  constructor(site: SiteName, around: Surroundings, spec: GuestSpec, stack: Stack, records: SimRecords) {
    this.site = site;
    this.around = around;
    this.stack = stack;
    this.records = records;
    this.#spec = spec;
    this.guest = this.#newGuest();
    this.#guestPort = around.segment.addPort(site, `guest-${site}`, 'guest', (frame) => {
      if (this.#up && !('packets' in frame))
        this.#guestFrame(new Uint8Array(frame.data.subarray(frame.start, frame.start + frame.length)));
    });
    this.#listen();
  }

  /** Who is announced when the guest has come here. */
  get announced(): { readonly mac: number; readonly ip: number } {
    return this.#spec;
  }

  get costs(): HostCosts {
    return this.around.costs;
  }

  get isUp(): boolean {
    return this.#up;
  }

  /** By this host's clock, which may have jumped. */
  nowNs(): number {
    return this.around.time.nowNs + this.#clockAheadNs;
  }

  /** Does `body` in `afterNs`, unless the process is gone then; when it stands still, once it goes on. */
  after(afterNs: number, body: () => void): void {
    this.at(this.around.time.nowNs + afterNs, body);
  }

  /** @param atNs by the world's time */
  at(atNs: number, body: () => void): void {
    const life = this.#life;
    this.around.time.at(atNs, () => {
      if (life !== this.#life) return;
      if (this.around.time.nowNs < this.#frozenUntilNs) this.at(this.#frozenUntilNs, body);
      else body();
    });
  }

  /** The world's time at which this host's clock reads `clockNs`. */
  worldNs(clockNs: number): number {
    return clockNs - this.#clockAheadNs;
  }

  note(what: string): void {
    this.around.trace.note(this.around.time.nowNs, `host ${this.site}`, what);
  }

  /** Writes a record; says whether it is in the store. */
  append(
    kind: 'COMMIT' | 'RUNNING' | 'NEVER' | 'ENDED',
    epoch: number,
    migrationId: string,
    said: (ok: boolean) => void,
  ): void {
    const record = { kind, epoch, migrationId };
    this.records.begin(record);
    this.after(this.costs.recordNs * this.records.slowness, () => {
      const ok = this.records.end(record);
      if (!ok) this.around.judge.excuses.diskFailed = true;
      this.note(`${kind} ${ok ? 'recorded' : 'not recorded: the disk is full'}`);
      said(ok);
    });
  }

  sendGuestFrame(bytes: Uint8Array): void {
    this.around.sendFrame(this.#guestPort, bytes);
  }

  /** Frames that waited at the guest's port while nobody read it. */
  takeWaiting(): Uint8Array[] {
    return this.#waiting.splice(0);
  }

  // ── what befalls it ─────────────────────────────────────────────────────────────────────────────

  crash(): void {
    if (!this.#up) return;
    this.note('died');
    const { excuses } = this.around.judge;
    excuses.framesDelayed = true;
    if (this.guest.isRunning || this.source?.holdsMemory === true) excuses.guestDied = true;
    // RUNNING may be on record, or reach it while the host dies: then the guest counts as started here.
    const deciding = this.destination?.migrationId;
    this.#life++;
    this.#up = false;
    this.records.crash();
    if (deciding !== undefined && this.records.has('RUNNING', deciding)) excuses.guestDied = true;
    this.source?.died();
    this.source = this.destination = null;
    this.stack.powerOff();
    this.guest = this.#newGuest();
    this.#waiting = [];
    this.#renouncing.clear();
    this.#frozenUntilNs = 0;
  }

  restart(): void {
    if (this.#up) return;
    this.note('restarted');
    this.#up = true;
    this.stack.powerOn();
    this.#listen();
  }

  /** The process stands still for a while; its kernel does not. */
  freeze(forNs: number): void {
    this.note('stands still');
    this.around.judge.excuses.framesDelayed = true;
    this.#frozenUntilNs = Math.max(this.#frozenUntilNs, this.around.time.nowNs + forNs);
  }

  /** Its clock goes forward at once: a monotonic clock never goes back. */
  jumpClock(byNs: number): void {
    this.note('its clock jumps');
    this.#clockAheadNs += byNs;
    this.source?.mind();
    this.destination?.mind();
  }

  // ── the guest's port ────────────────────────────────────────────────────────────────────────────

  #guestFrame(bytes: Uint8Array): void {
    if (this.around.time.nowNs < this.#frozenUntilNs) {
      this.after(0, () => this.#guestFrame(bytes));
      return;
    }
    if (this.guest.isRunning && !(this.destination?.buffersPort ?? false))
      this.guest.receive(this.around.time.nowNs, bytes);
    else if (this.source?.forwards === true) this.source.lateFrame(bytes);
    else if (this.source?.isPausing === true) this.#waiting.push(bytes);
    else this.destination?.portFrame(bytes);
  }

  #newGuest(): SimGuest {
    const { around, site } = this;
    return new SimGuest(this.#spec, around.truth, {
      send: (bytes) => this.sendGuestFrame(bytes),
      fault: (pfn) => this.destination?.fault(pfn),
      requested: (client, seq) => around.requested(site, client, seq),
    });
  }

  // ── who calls ───────────────────────────────────────────────────────────────────────────────────

  #listen(): void {
    this.stack.onAccept = (link) => {
      const life = this.#life;
      link.onItem = (item) => this.after(0, () => this.#firstItem(link, item));
      link.onLost = () => {};
      if (life !== this.#life) link.vanish();
    };
  }

  /** What an accepted link says until somebody has taken it over. */
  #firstItem(link: Link, item: unknown): void {
    if (link.kind === 'control') return this.#controlItem(link, item as ControlItem);
    const page = item as PageItem;
    const owner = this.destination;
    if (page.type === 'preamble' && owner?.migrationId === page.migrationId) owner.addPageLink(link);
    else if (owner?.owns(link) === true) owner.pageItem(link, page);
    else link.vanish();
  }

  #controlItem(link: Link, item: ControlItem): void {
    const { destination } = this;
    if (destination?.owns(link) === true) return destination.controlItem(item);
    if (item.type === 'hello') {
      sendWord(link, { type: 'welcome' });
      if (destination !== null && !destination.isOver && destination.migrationId === item.migrationId)
        destination.reconnect(link);
      return;
    }
    if (item.type !== 'message') return;
    const message = messageIn(item.bytes);
    this.note(`received ${message.type}`);
    if (message.type === 'offer') {
      // A destination that has come to its end gives its place up; one at work does not.
      if (destination !== null && !destination.isOver) {
        sendMessage(link, {
          type: 'refuse',
          code: 'VMOTION_BUSY',
          text: 'another migration is under way here',
        });
        return;
      }
      this.destination = new DestinationDriver(this, link, message.migrationId);
      this.destination.received(message);
    } else this.#stray(link, message);
  }

  /** No machine is left of this migration: the records answer. */
  #stray(link: Link, message: Message): void {
    if (message.type !== 'ask') return;
    const { migrationId } = message;
    const decision = this.records.decision(migrationId);
    const live =
      this.destination !== null && !this.destination.isOver && this.destination.migrationId === migrationId;
    const verdict = answerAsk(message, { storeId: this.records.storeId, decision, live });
    const answer = (said: Exclude<typeof verdict, 'record-never'>): void => {
      this.note(`answers ${said}`);
      sendMessage(link, { type: 'answer', migrationId, verdict: said });
    };
    if (verdict !== 'record-never') return answer(verdict);
    if (this.#renouncing.has(migrationId)) return;
    this.#renouncing.add(migrationId);
    this.append('NEVER', this.records.highestEpoch() ?? 0, migrationId, (ok) => {
      this.#renouncing.delete(migrationId);
      if (ok) answer('never');
    });
  }
}
