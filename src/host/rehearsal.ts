/**
 * A rehearsal of the move: a host's thread moves a scratch guest from itself to itself, over links in memory, with real
 * records, a real dirty log and real missing pages. It does so twice over:
 *
 *   before the host is ready   some hundred moves: V8 runs code for the first time some ten times slower than for the
 *                              hundredth, parsed, compiled, without a single inline cache
 *   just before each pause     half a move, twice, held ready until then: code and data that the processor has not seen
 *                              for a while cost it another ten times (one record written: 53 µs, the next one 4 µs)
 */
import { rmSync } from 'node:fs';
import { closeFd, connectUdp, Doorbell, localEndpoint, nowNs, openUdp, PollSet } from '../sys/index.js';
import type { RecordSuite } from '../vmotion-protocol/index.js';
import {
  Codecs,
  LinkBuffers,
  type LinkPoller,
  openRecordSuite,
  SharedKeyLinks,
  UdpLinks,
} from '../vmotion-protocol/transport/index.js';
import type { MigrationOrders, PipelineOrders, TransportOrders } from './ipc.js';
import { MemoryLinks } from './memory-link.js';
import { MemoryWire } from './memory-wire.js';
import { canCatchFaults } from './missing-memory.js';
import { RecordStore } from './records.js';
import { RehearsedMove } from './rehearsed-move.js';
import { ScratchGuest } from './scratch-guest.js';

/** What seals the rehearsal's links, and outlives them. */
interface Sealing {
  readonly suite: RecordSuite;
  readonly buffers: LinkBuffers;
}

/** Moves held: the first one played finds everything cold. */
const STAGES = 2;
const MOVES = 200;
/** However slow the machine is, a host is not kept longer. */
const LIMIT_NS = 1_500_000_000;
/** A move that is held ready may be old when it is played. */
const HELD_LIMIT_NS = 3_600_000_000_000;
/** Moves whose records one store takes. */
const MOVES_OF_A_STORE = 300;
const LOOPBACK = 0x7f000001;
/** Datagrams under way at most. */
const PACKETS = 256;
/** Some moves encode pages whatever it costs, so that this has run before too. */
const ENCODED: PipelineOrders = { compress: 'on', delta: 'on', dedup: 'on', linkRateBps: null };
const PLAIN: PipelineOrders = { compress: 'auto', delta: 'auto', dedup: 'auto', linkRateBps: null };

/** A pair of scratch guests, and the move between them that is held. */
interface Stage {
  readonly guests: readonly [ScratchGuest, ScratchGuest];
  /** Where the guest is. */
  here: 0 | 1;
  held: RehearsedMove | null;
  /** What of the held move has been played. */
  played: 'nothing' | 'source' | 'all';
  /** A move did not end when it was told to: its guests may have pages that nobody would ever bring, and stand still. */
  stuck: boolean;
}

export class Rehearsal {
  readonly #path: string;
  readonly #transport: TransportOrders;
  readonly #bell = new Doorbell();
  readonly #nicFd = openUdp({ ip: LOOPBACK, port: 0 });
  readonly #stages: readonly Stage[] = Array.from({ length: STAGES }, () => stageOf(this.#bell));
  readonly #polls = new PollSet(16);
  readonly #catchesFaults = canCatchFaults();
  readonly #sealing: Sealing | null;
  readonly #codecs = new Codecs();
  #records: RecordStore;
  #formerRecords: RecordStore | null = null;
  #moves = 0;

  /**
   * @param recordsPath of the host; nothing stays beside it
   * @param transport what the host will use: its links in memory carry the pages here
   * @param sealed over links that are sealed, as the host's own will be
   */
  constructor(recordsPath: string, transport: TransportOrders, sealed: boolean) {
    this.#path = `${recordsPath}.rehearsal`;
    this.#transport = transport;
    this.#sealing = sealed ? { suite: openRecordSuite(), buffers: new LinkBuffers() } : null;
    this.#records = openStore(this.#path);
    connectUdp(this.#nicFd, localEndpoint(this.#nicFd));
  }

  /**
   * Moves the scratch guests to and fro.
   * @param limitNs a move that is under way when it is over is cut off
   * @returns moves that completed with memory identical, and how many ended before the time was over
   */
  run(moves = MOVES, limitNs = LIMIT_NS): { readonly ended: number; readonly good: number } {
    const untilNs = nowNs() + limitNs;
    let ended = 0;
    let good = 0;
    while (ended < moves) {
      const stage = this.#stages[ended % STAGES]!;
      const move = this.#begin(stage, ended);
      while (!move.ended && nowNs() < untilNs) move.turn();
      const whole = move.ended;
      end(stage, move);
      if (!whole || stage.stuck) break;
      ended++;
      if (move.good) good++;
    }
    return { ended, good };
  }

  /**
   * Brings moves to where their source waits for READY alone, and holds them there; none in place of one that is held
   * already. Where the system refuses what it needs (a full disk, no more descriptors) the pause is only slower.
   */
  poise(): void {
    for (const stage of this.#stages) {
      if (stage.held !== null && stage.played === 'nothing') continue;
      try {
        endHeld(stage);
        if (stage.stuck) continue;
        stage.held = this.#begin(stage, 0);
        stage.held.poise();
        stage.played = 'nothing';
      } catch {
        stage.held = null;
      }
    }
  }

  /** Plays what a source does in its pause. @returns whether it did: as often as moves are held */
  playSource(): boolean {
    const stage = this.#stages.find((s) => s.held !== null && s.played === 'nothing');
    if (stage === undefined) return false;
    stage.played = 'source';
    return stage.held!.playSource();
  }

  /** Plays what a destination does from FINAL on. @returns whether it did: as often as sources have played */
  playDestination(): boolean {
    const stage = this.#stages.find((s) => s.held !== null && s.played === 'source');
    if (stage === undefined) return false;
    stage.played = 'all';
    return stage.held!.playDestination();
  }

  /** Plays all that sources do: their destinations can begin. */
  playSources(): void {
    while (this.playSource());
  }

  close(): void {
    for (const stage of this.#stages) {
      endHeld(stage);
      for (const guest of stage.guests) guest.dirtyLog.close();
    }
    this.#formerRecords?.close();
    this.#records.close();
    this.#codecs.close();
    closeFd(this.#nicFd);
    this.#bell.close();
  }

  /** @param kind which of the kinds of moves that take turns; 0 is the most common one */
  #begin({ guests, here }: Stage, kind: number): RehearsedMove {
    if (this.#moves > 0 && this.#moves % MOVES_OF_A_STORE === 0) {
      // A move that is held goes on in the store that it knows, so that the one before is kept a while.
      this.#formerRecords?.close();
      this.#formerRecords = this.#records;
      this.#records = openStore(this.#path);
    }
    const [near, far] = openEnds(this.#transport, this.#sealing);
    return new RehearsedMove({
      orders: ordersOf(this.#moves++, kind),
      source: guests[here],
      target: guests[here === 0 ? 1 : 0],
      near,
      far,
      nicFd: this.#nicFd,
      polls: this.#polls,
      records: this.#records,
      codecs: this.#codecs,
      transport: this.#transport,
      catchesFaults: this.#catchesFaults,
    });
  }
}

function stageOf(bell: Doorbell): Stage {
  const guests = [new ScratchGuest(bell), new ScratchGuest(bell)] as const;
  guests[0].control.resume();
  return { guests, here: 0, held: null, played: 'nothing', stuck: false };
}

function end(stage: Stage, move: RehearsedMove): void {
  stage.stuck ||= !move.end();
  if (move.good) stage.here = stage.here === 0 ? 1 : 0;
}

function endHeld(stage: Stage): void {
  const { held } = stage;
  stage.held = null;
  if (held !== null) end(stage, held);
}

/** Its name is gone at once: what it holds is of no use to anybody. */
function openStore(path: string): RecordStore {
  const records = new RecordStore(path);
  rmSync(path, { force: true });
  return records;
}

function ordersOf(index: number, kind: number): MigrationOrders {
  return {
    migrationId: index.toString(16).padStart(32, '0'),
    epoch: index + 1,
    streams: 1,
    mode: kind % 3 === 2 ? 'pre-copy' : 'hybrid',
    slowGuest: false,
    pipeline: kind % 4 === 1 ? ENCODED : PLAIN,
    pauseTargetNs: 600_000,
    maxRounds: 4,
    limitNs: HELD_LIMIT_NS,
    verify: true,
    holdNs: 0,
    corruptPfn: null,
    hiddenPfn: null,
  };
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
