/**
 * A rehearsal of the move: before a host is ready, its thread moves a scratch guest of 1 MiB from itself to itself some
 * hundred times, over links in memory, with real records, a real dirty log and real missing pages.
 *
 * A pause happens once, and V8 runs code for the first time some ten times slower than for the hundredth: parsed,
 * compiled, without a single inline cache. What stands in the pause has then run before, sealing included.
 */
import { rmSync } from 'node:fs';
import { PAGE_SIZE } from '../core/index.js';
import { type DirtyLog, decodeDeviceState, encodeDeviceState, type GuestMemory } from '../guest/index.js';
import {
  ControlBlock,
  createGuestMemory,
  FIRST_INSTRUCTION_NS,
  GuestControl,
  openDirtyLog,
  PARKED,
  RUNNING,
  STATE,
} from '../guest/memory/index.js';
import {
  closeFd,
  connectUdp,
  Doorbell,
  dropPages,
  localEndpoint,
  nowNs,
  openUdp,
  PollSet,
} from '../sys/index.js';
import type { RecordSuite } from '../vmotion-protocol/index.js';
import {
  Chain,
  Codecs,
  decodePreamble,
  type Link,
  LinkBuffers,
  type LinkPoller,
  newRegion,
  openRecordSuite,
  PREAMBLE_BYTES,
  SecureLink,
  SharedKeyLinks,
  UdpLinks,
  udpLinkOf,
} from '../vmotion-protocol/transport/index.js';
import { Announcements } from './announcements.js';
import { ControlChannel } from './control-channel.js';
import { DestinationRole } from './destination-role.js';
import type { HostReport, PipelineOrders, TransportOrders } from './ipc.js';
import { type MemoryLink, MemoryLinks } from './memory-link.js';
import { MemoryWire } from './memory-wire.js';
import { canCatchFaults } from './missing-memory.js';
import type { MovingGuest } from './moving-guest.js';
import { PageTable } from './page-table.js';
import { RecordStore } from './records.js';
import { SourceRole } from './source-role.js';
import { StandbyPlace } from './standby-place.js';

/** What seals the rehearsal's links, and outlives them. */
interface Sealing {
  readonly suite: RecordSuite;
  readonly buffers: LinkBuffers;
}

const PAGES = 256;
/** Pages that the scratch guest writes between two harvests: more than a pause carries, so that some are missing. */
const WRITES = 40;
const MOVES = 200;
/** However slow the machine is, a host is not kept longer. */
const LIMIT_NS = 1_500_000_000;
/** Turns in which a move that was cut short comes to its end. */
const LAST_TURNS = 200;
const LOOPBACK = 0x7f000001;
/** Datagrams under way at most. */
const PACKETS = 256;
/** Some moves encode pages whatever it costs, so that this has run before too. */
const ENCODED: PipelineOrders = { compress: 'on', delta: 'on', dedup: 'on', linkRateBps: null };
const PLAIN: PipelineOrders = { compress: 'auto', delta: 'auto', dedup: 'auto', linkRateBps: null };
const MAC = Uint8Array.of(2, 0x4c, 0x48, 0xff, 0xff, 0xff);
const ADDRESSES = { mac: 0x024c48ffffff, ip: 0x0a50fffe };
const NAME = 'rehearsal';

/**
 * Moves the scratch guest to and fro.
 * @param recordsPath of the host; the rehearsal's own records stand beside it while it lasts
 * @param transport what the host will use: its links in memory carry the pages here
 * @param sealed over links that are sealed, as the host's own will be
 * @param limitNs a move that is under way when it is over is cut off
 * @returns moves that completed with memory identical, and how many ended before the time was over
 */
export function rehearse(
  recordsPath: string,
  transport: TransportOrders,
  sealed: boolean,
  moves = MOVES,
  limitNs = LIMIT_NS,
): { readonly ended: number; readonly good: number } {
  const rehearsal = new Rehearsal(`${recordsPath}.${NAME}`, transport, sealed);
  const untilNs = nowNs() + limitNs;
  let ended = 0;
  while (ended < moves && rehearsal.move(ended, untilNs)) ended++;
  rehearsal.close();
  return { ended, good: rehearsal.good };
}

/** Steers a guest that has no thread: it obeys at once. */
class ScratchControl extends GuestControl {
  override pause(): void {
    super.pause();
    Atomics.store(this.block.words, STATE, PARKED);
  }

  override resume(): void {
    super.resume();
    this.block.figures[FIRST_INSTRUCTION_NS] = nowNs();
    Atomics.store(this.block.words, STATE, RUNNING);
  }
}

class ScratchGuest implements MovingGuest {
  readonly memory: GuestMemory = createGuestMemory(PAGES);
  readonly control: GuestControl;
  readonly dirtyLog: DirtyLog;
  readonly shape = '';
  readonly table = new PageTable(this.memory);
  #turn = 1;

  constructor(bell: Doorbell) {
    this.control = new ScratchControl(new ControlBlock(), bell);
    const { log } = openDirtyLog(this.memory, 'auto');
    this.dirtyLog = {
      kind: log.kind,
      start: () => log.start(),
      harvest: (into) => {
        this.#write();
        return log.harvest(into);
      },
      stop: () => log.stop(),
      close: () => log.close(),
    };
  }

  saveState(): Uint8Array {
    return encodeDeviceState({ mac: MAC, ip: ADDRESSES.ip, ranNs: this.control.ranNs });
  }

  loadState(bytes: Uint8Array): void {
    const decoded = decodeDeviceState(bytes);
    if (decoded.ok) this.control.ranNs = decoded.state.ranNs;
  }

  drop(): void {
    dropPages(this.memory.address, PAGES * PAGE_SIZE, this.memory.dropAdvice);
  }

  #write(): void {
    const turn = this.#turn++;
    for (let i = 0; i < WRITES; i++) this.memory.bytes[((turn * 7 + i * i) % PAGES) * PAGE_SIZE + i] = turn;
  }
}

class Rehearsal {
  readonly #path: string;
  readonly #transport: TransportOrders;
  readonly #bell = new Doorbell();
  readonly #nicFd = openUdp({ ip: LOOPBACK, port: 0 });
  readonly #guests = [new ScratchGuest(this.#bell), new ScratchGuest(this.#bell)] as const;
  readonly #records: RecordStore;
  readonly #polls = new PollSet(16);
  readonly #catchesFaults = canCatchFaults();
  readonly #sealing: Sealing | null;
  readonly #codecs = new Codecs();
  good = 0;

  constructor(path: string, transport: TransportOrders, sealed: boolean) {
    this.#path = path;
    this.#transport = transport;
    this.#sealing = sealed ? { suite: openRecordSuite(), buffers: new LinkBuffers() } : null;
    this.#records = new RecordStore(path);
    connectUdp(this.#nicFd, localEndpoint(this.#nicFd));
    this.#guests[0].control.resume();
  }

  /** @returns whether it ended before `untilNs` */
  move(index: number, untilNs: number): boolean {
    const [source, target] = index % 2 === 0 ? this.#guests : [this.#guests[1], this.#guests[0]];
    const [near, far] = openEnds(this.#transport, this.#sealing);
    const migrationId = index.toString(16).padStart(32, '0');
    const common = {
      guestName: NAME,
      nicFd: this.#nicFd,
      records: this.#records,
      transport: this.#transport,
      codecs: this.#codecs,
      urgency: () => {},
      passing: () => {},
      report: (r: HostReport) => {
        if (r.type === 'source-finished' && r.report.outcome === 'completed' && r.report.memoryIdentical)
          this.good++;
      },
    };
    const outgoing = new SourceRole(
      {
        migrationId,
        epoch: index + 1,
        streams: 1,
        mode: index % 3 === 2 ? 'pre-copy' : 'hybrid',
        slowGuest: false,
        pipeline: index % 4 === 1 ? ENCODED : PLAIN,
        pauseTargetNs: 600_000,
        maxRounds: 4,
        limitNs: LIMIT_NS,
        verify: true,
        holdNs: 0,
        corruptPfn: null,
        hiddenPfn: null,
      },
      {
        ...common,
        poller: near,
        guest: source,
        table: source.table,
        onAccepted: () => {},
        keeper: null,
        onPaused: () => {},
        onReturned: () => {},
        onReleased: () => source.drop(),
      },
    );
    let incoming: DestinationRole | null = null;
    const takeIn = (link: Link): void => {
      const { kind, stream, attempt } = readPreamble(link);
      if (kind === 'pages') return incoming?.addStream(link, stream, attempt);
      if (kind === 'demand') return incoming?.addDemandLink(link, attempt);
      incoming = new DestinationRole(new ControlChannel(link, far), attempt, migrationId, {
        ...common,
        poller: far,
        guest: target,
        table: target.table,
        announcements: new Announcements(ADDRESSES, this.#nicFd),
        polls: this.#polls,
        catchesFaults: this.#catchesFaults,
        refusal: null,
        place: new StandbyPlace(target.memory, () => target.drop()),
        onRunning: () => {},
      });
    };
    // The last link is heard when its preamble was sent, which may be a turn after it was opened.
    const strangers: Link[] = [];
    const turn = (): void => {
      near.takeIn(nowNs());
      far.takeIn(nowNs());
      for (let link = far.accept(); link !== null; link = far.accept()) strangers.push(link);
      for (const link of strangers.splice(0)) {
        if (waits(link)) takeIn(link);
        else strangers.push(link);
      }
      outgoing.service();
      (incoming as DestinationRole | null)?.service();
      near.flush(nowNs());
      far.flush(nowNs());
    };
    while (!outgoing.finished && nowNs() < untilNs) turn();
    const ended = outgoing.finished;
    const { good } = this;
    // Both sides give back what they hold. Past COMMIT a move cannot be cancelled, and goes on to its end.
    if (!ended) outgoing.cancel('the rehearsal is over');
    const isOver = (): boolean =>
      outgoing.finished && ((incoming as DestinationRole | null)?.finished ?? true);
    for (let last = 0; last < LAST_TURNS && !isOver(); last++) turn();
    if (!ended) this.good = good;
    return ended;
  }

  close(): void {
    for (const guest of this.#guests) guest.dirtyLog.close();
    this.#records.close();
    this.#codecs.close();
    rmSync(this.#path, { force: true });
    closeFd(this.#nicFd);
    this.#bell.close();
  }
}

/** The source's and the destination's links. */
function openEnds(
  transport: TransportOrders,
  sealing: Sealing | null,
): readonly [near: LinkPoller, far: LinkPoller] {
  const [near, far] = transport.kind === 'tcp' ? streamEnds() : datagramEnds(sealing !== null);
  return sealing === null ? [near, far] : SharedKeyLinks.pair(near, far, sealing.suite, sealing.buffers);
}

function streamEnds(): readonly [LinkPoller, LinkPoller] {
  const links = new MemoryLinks();
  return [links, links];
}

function datagramEnds(sealed: boolean): readonly [LinkPoller, LinkPoller] {
  const [near, far] = MemoryWire.pair();
  const options = { packetsMax: PACKETS, sealed };
  return [new UdpLinks(near, options), new UdpLinks(far, options)];
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
