/**
 * One move of a rehearsal: both roles on the calling thread, over links in memory.
 *
 *   ─► turn … ─► poise ─► playSource ─► playDestination ─► turn …
 *               the source waits    from the pause     from FINAL to
 *               for READY alone     call to FINAL      STARTED
 */
import { nowNs, type PollSet } from '../sys/index.js';
import {
  Chain,
  type Codecs,
  decodePreamble,
  type Link,
  type LinkPoller,
  newRegion,
  PREAMBLE_BYTES,
  SecureLink,
  udpLinkOf,
} from '../vmotion-protocol/transport/index.js';
import { Announcements } from './announcements.js';
import { ControlChannel } from './control-channel.js';
import { DestinationRole } from './destination-role.js';
import type { HostReport, MigrationOrders, TransportOrders } from './ipc.js';
import type { MemoryLink } from './memory-link.js';
import type { NamedPoint } from './named-points.js';
import type { RecordStore } from './records.js';
import { SCRATCH_ADDRESSES, type ScratchGuest } from './scratch-guest.js';
import { SourceRole } from './source-role.js';
import { StandbyPlace } from './standby-place.js';

const NAME = 'rehearsal';
const QUIETLY = { urgency: () => {}, warmUp: () => {} };
/** Turns within which a move that begins comes to its switchover, a half of that is played, and one cut short ends. */
const POISE_TURNS = 400;
const PLAY_TURNS = 50;
const LAST_TURNS = 4000;
/** Turns of links and destination alone in which READY and ROUND_DONE leave. */
const SETTLE_TURNS = 8;

export interface RehearsedMoveParts {
  readonly orders: MigrationOrders;
  readonly source: ScratchGuest;
  readonly target: ScratchGuest;
  readonly near: LinkPoller;
  readonly far: LinkPoller;
  readonly nicFd: number;
  readonly polls: PollSet;
  readonly records: RecordStore;
  readonly codecs: Codecs;
  readonly transport: TransportOrders;
  readonly catchesFaults: boolean;
}

export class RehearsedMove {
  readonly #parts: RehearsedMoveParts;
  readonly #outgoing: SourceRole;
  #incoming: DestinationRole | null = null;
  /** Links whose preamble has not come. */
  readonly #strangers: Link[] = [];
  #armed = false;
  readonly #passed = new Set<NamedPoint>();
  readonly #passing = (point: NamedPoint): void => {
    this.#passed.add(point);
  };
  /** It has completed, with memory identical. */
  good = false;

  constructor(parts: RehearsedMoveParts) {
    this.#parts = parts;
    const { source, near } = parts;
    this.#outgoing = new SourceRole(parts.orders, {
      ...this.#common(),
      poller: near,
      guest: source,
      table: source.table,
      report: (r: HostReport) => {
        if (r.type === 'source-finished')
          this.good = r.report.outcome === 'completed' && r.report.memoryIdentical === true;
      },
      onAccepted: () => {},
      keeper: null,
      onPaused: () => {},
      onReturned: () => {},
      onReleased: () => source.drop(),
    });
  }

  /** Whether the source has ended. */
  get ended(): boolean {
    return this.#outgoing.finished;
  }

  turn(): void {
    this.#takeIn();
    this.#outgoing.service();
    this.#incoming?.service();
    this.#flush();
  }

  /** Goes on until READY is on its way, and the source has all that it waits for when it looks next. */
  poise(): void {
    for (let i = 0; i < POISE_TURNS && !this.#armed && !this.ended; i++) this.turn();
    for (let i = 0; i < SETTLE_TURNS; i++) {
      this.#takeIn();
      this.#incoming?.service();
      this.#flush();
    }
  }

  /** From the pause call until FINAL has left, of a move that is poised. @returns whether it has */
  playSource(): boolean {
    for (let i = 0; i < PLAY_TURNS && !this.#passed.has('final-sent') && !this.ended; i++) {
      this.#takeIn();
      this.#outgoing.service();
      this.#flush();
      if (!this.#passed.has('final-sent')) this.#incoming?.service();
    }
    return this.#passed.has('final-sent');
  }

  /** From FINAL, which has been sent, until STARTED has left. @returns whether it has */
  playDestination(): boolean {
    for (let i = 0; i < PLAY_TURNS && !this.#passed.has('started-sent'); i++) {
      this.#takeIn();
      this.#incoming?.service();
      this.#flush();
    }
    return this.#passed.has('started-sent');
  }

  /**
   * Both sides give back what they hold. Past COMMIT a move cannot be cancelled, and goes on to its end.
   * @returns whether it has come to it; if not, the guests must not be touched any more
   */
  end(): boolean {
    if (!this.ended) this.#outgoing.cancel('the rehearsal is over');
    const isOver = (): boolean => this.ended && (this.#incoming?.finished ?? true);
    for (let last = 0; last < LAST_TURNS && !isOver(); last++) this.turn();
    return isOver();
  }

  #common() {
    const { nicFd, records, transport, codecs } = this.#parts;
    return { guestName: NAME, nicFd, records, transport, codecs, passing: this.#passing, ...QUIETLY };
  }

  #takeIn(): void {
    const { near, far } = this.#parts;
    near.takeIn(nowNs());
    far.takeIn(nowNs());
    for (let link = far.accept(); link !== null; link = far.accept()) this.#strangers.push(link);
    // The last link is heard when its preamble was sent, which may be a turn after it was opened.
    for (const link of this.#strangers.splice(0)) {
      if (waits(link)) this.#meet(link);
      else this.#strangers.push(link);
    }
  }

  #flush(): void {
    this.#parts.near.flush(nowNs());
    this.#parts.far.flush(nowNs());
  }

  #meet(link: Link): void {
    const { far, target, polls, nicFd, orders, catchesFaults } = this.#parts;
    const { kind, stream, attempt } = readPreamble(link);
    if (kind === 'pages') return this.#incoming?.addStream(link, stream, attempt);
    if (kind === 'demand') return this.#incoming?.addDemandLink(link, attempt);
    this.#incoming = new DestinationRole(new ControlChannel(link, far), attempt, orders.migrationId, {
      ...this.#common(),
      poller: far,
      guest: target,
      table: target.table,
      announcements: new Announcements(SCRATCH_ADDRESSES, nicFd),
      polls,
      catchesFaults,
      refusal: null,
      report: () => {},
      urgency: (urgency) => {
        if (urgency === 'prompt') this.#armed = true;
      },
      place: new StandbyPlace(target.memory, () => target.drop()),
      onRunning: () => {},
    });
  }
}

/** Whether a preamble can be read. */
function waits(link: Link): boolean {
  const udp = udpLinkOf(link);
  if (udp !== null) return udp.connection.readable > 0;
  return ((link instanceof SecureLink ? link.inner : link) as MemoryLink).waits;
}

function readPreamble(link: Link): NonNullable<ReturnType<typeof decodePreamble>> {
  const region = newRegion(PREAMBLE_BYTES);
  const chain = new Chain();
  chain.push(region, 0, PREAMBLE_BYTES);
  link.receive(chain);
  return decodePreamble(region.bytes)!;
}
