/**
 * One migration over datagrams: a control stream both ways and pages one way, with their own reliability. Sans-IO:
 * datagrams in (`receive`), datagrams out (`poll`), time as an argument.
 *
 *   opening ─first datagram heard─► open ─close()─► closing ─FIN acknowledged─► closed
 *                                    │                                            ▲
 *                                    └──── peer's FIN, and every byte read ───────┘
 *   any but closed ─── CLOSE came, or nothing heard for `silenceNs` although asked ───► broken
 *
 * Not step(event, out) but methods: a hundred thousand packets a second leave no room
 * for an object each. What a datagram consists of is written into the caller's `DatagramPlan`.
 *
 *   receive: frames ─► Flight (ACK), ControlInbox, PageInbox, ParityStore ─► Acknowledger
 *   poll:    path probe ─► Flight allows: control stream, then pages; parity ─► or an acknowledgement alone
 *
 * Longer than 400 lines: one datagram is made of what all parts have to say, and what comes in is dealt to all of them.
 *
 * Left out: migration of a connection to another address, ECN, authentication (`reservedBytes` keeps room for a tag).
 * Longer than a file should be: frames in and datagrams out share nearly every field.
 */
import { Acknowledger } from './acknowledger.js';
import type { CongestionControl } from './congestion/congestion-control.js';
import { type ConnectionOptions, checkConnection } from './connection-options.js';
import { ControlInbox } from './control-inbox.js';
import { ControlOutbox } from './control-outbox.js';
import type { DatagramPlan } from './datagram-plan.js';
import { Flight, type FragmentFate } from './flight.js';
import {
  FLAG_ACK_NOW,
  FLAG_INITIATOR,
  FLAG_OPENING,
  FLAG_PROTECTED,
  FRAME_ACK,
  FRAME_BAD,
  FRAME_CLOSE,
  FRAME_CONTROL,
  FRAME_END,
  FRAME_NONE,
  FRAME_PAGE,
  FRAME_PARITY,
  FRAME_PING,
  FRAME_PROBE,
  FRAME_ZERO,
  PACKET_HEADER_BYTES,
  PARITY_FRAME_BYTES,
  PacketReader,
  SHORT_FRAME_BYTES,
  writePacketHeader,
  writeParityFrame,
  writeShortFrame,
} from './packet-codec.js';
import type { PageInbox } from './page-inbox.js';
import type { PageOutbox } from './page-outbox.js';
import { ParityGroups, ParityStore } from './parity.js';
import type { RttEstimator } from './rtt.js';

export type ConnectionState = 'opening' | 'open' | 'closing' | 'closed' | 'broken';

/** A FIN nobody acknowledges is asked after so often: the peer has gone after it read everything. */
const FIN_TIMEOUTS_MAX = 3;

export class Connection implements FragmentFate {
  readonly #options: Required<ConnectionOptions>;
  readonly #flight: Flight;
  readonly #acks = new Acknowledger();
  readonly #reader = new PacketReader();
  readonly #control: ControlOutbox;
  readonly #controlIn: ControlInbox;
  readonly #parity = new ParityGroups();
  #parityStore: ParityStore | null = null;
  #outbox: PageOutbox | null = null;
  #inbox: PageInbox | null = null;
  #protecting = false;

  #state: ConnectionState;
  #heard: boolean;
  #heardNs = -1;
  #keepNs = Number.POSITIVE_INFINITY;
  #pingDue: boolean;
  #closeDue = false;
  #nowNs = 0;
  #packets = 0;
  #paritySent = 0;
  #received = 0;
  #recovered = 0;
  #malformed = 0;
  #foreign = 0;
  #duplicates = 0;

  /** @throws ConfigError VMOTION_CONFIG_RANGE */
  constructor(options: ConnectionOptions) {
    this.#options = checkConnection(options);
    this.#flight = new Flight(this.#options, this);
    this.#control = new ControlOutbox(this.#options.controlBufferBytes);
    this.#controlIn = new ControlInbox(this.#options.controlBufferBytes, options.maxDatagramBytes);
    this.#state = options.initiator ? 'opening' : 'open';
    this.#pingDue = options.initiator;
    this.#heard = !options.initiator;
  }

  get connectionId(): number {
    return this.#options.connectionId;
  }

  /** Whether this side opened it. */
  get initiator(): boolean {
    return this.#options.initiator;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  get congestion(): CongestionControl {
    return this.#flight.congestion;
  }

  get rtt(): RttEstimator {
    return this.#flight.rtt;
  }

  /** Bytes of UDP payload that are known to pass. */
  get datagramBytes(): number {
    return this.#flight.mtu.datagramBytes;
  }

  /**
   * Figures for a report; a fresh object. Packets sent and received, page bytes sent again and pages sent anew, packets
   * lost, those given up that arrived after all, those that parity gave back; datagrams ignored: not of this format, of
   * another connection, come twice.
   */
  get counters() {
    const { lost, timeouts, spurious, packets } = this.#flight;
    return {
      packets: this.#packets,
      resentBytes: this.#outbox?.resentBytes ?? 0,
      superseded: this.#outbox?.superseded ?? 0,
      paritySent: this.#paritySent,
      lost,
      timeouts,
      spurious,
      inflightBytes: packets.inflightBytes,
      received: this.#received,
      recovered: this.#recovered,
      malformed: this.#malformed,
      foreign: this.#foreign,
      duplicates: this.#duplicates,
    };
  }

  /** Pages go out by this. */
  sendPages(outbox: PageOutbox): void {
    this.#outbox = outbox;
  }

  /** Pages come in by this; until then they are not acknowledged, and come again. */
  receivePages(inbox: PageInbox): void {
    this.#inbox = inbox;
  }

  /** From now on parity covers all that is sent, or no more: for the flight that ends the pause, FINAL included. */
  protect(on: boolean): void {
    this.#protecting = on;
  }

  /** Control bytes that `write` would take now. */
  get writable(): number {
    return this.#state === 'opening' || this.#state === 'open' ? this.#control.writable : 0;
  }

  /** Control bytes that `read` would give now. */
  get readable(): number {
    return this.#controlIn.readable;
  }

  /** Whether all that was sent has arrived, and nothing more waits to be sent. */
  get settled(): boolean {
    return this.#flight.packets.inflightPackets === 0 && !this.#hasContent();
  }

  /** Control bytes written that the peer is not known to have. */
  get unacknowledged(): number {
    return this.#control.unacknowledged;
  }

  /** Takes control bytes to be sent; they are copied. @returns how many were taken */
  write(bytes: Uint8Array): number {
    return this.writable > 0 ? this.#control.write(bytes) : 0;
  }

  /** Copies control bytes that have come, in order. @returns bytes copied */
  read(into: Uint8Array): number {
    const n = this.#controlIn.read(into);
    if (n > 0 && this.#controlIn.windowNews) this.#acks.owe();
    this.#mayClose();
    return n;
  }

  /** What was written is still sent, then the connection ends. */
  close(): void {
    if (this.#state !== 'opening' && this.#state !== 'open') return;
    this.#state = 'closing';
    this.#control.finish();
  }

  /** Ends the connection at once and tells the peer, who is not waited for. */
  abort(): void {
    if (this.#state === 'closed' || this.#state === 'broken') return;
    this.#state = 'broken';
    this.#closeDue = true;
  }

  /** When `poll` wants to be called again; 0 for at once. Pure. */
  nextWakeNs(): number {
    if (this.#closeDue) return 0;
    if (this.#state === 'broken') return Number.POSITIVE_INFINITY;
    if (this.#state === 'closed') return this.#acks.dueNs;
    if (this.#heard && this.#flight.mtu.probeDue(this.#nowNs) > 0) return 0;
    return Math.min(this.#acks.dueNs, this.#keepNs, this.#flight.nextWakeNs(this.#hasWork()));
  }

  /**
   * A datagram of `length` bytes came, at `at` in `bytes`, of which `view` is a view. Never throws.
   * @returns false when it was not this connection's or of no use
   */
  receive(nowNs: number, bytes: Uint8Array, view: DataView, at: number, length: number): boolean {
    const reader = this.#reader;
    const framesEnd = length - this.#options.reservedBytes;
    if (!reader.open(view, at, framesEnd)) {
      this.#malformed++;
      return false;
    }
    const fromInitiator = (reader.flags & FLAG_INITIATOR) !== 0;
    if (reader.connection !== this.connectionId || fromInitiator === this.initiator) {
      this.#foreign++;
      return false;
    }
    if (this.#state === 'broken') return false;
    this.#nowNs = nowNs;
    const { number, flags, round } = reader;
    if (this.#acks.has(number)) {
      this.#duplicates++;
      this.#acks.owe(); // the peer has not heard that it came, or the net doubles: one answer serves both
      return false;
    }
    this.#received++;
    this.#hear(nowNs);
    const asks = this.#frames(nowNs, round, bytes);
    if (asks < 0) return false;
    if ((flags & FLAG_PROTECTED) !== 0) {
      const framesAt = at + PACKET_HEADER_BYTES;
      this.#store().keep(number, bytes, framesAt, framesEnd - PACKET_HEADER_BYTES);
    }
    this.#acks.note(nowNs, number, asks > 0, (flags & FLAG_ACK_NOW) !== 0);
    if (this.#parityStore?.hopeful) this.#recover(nowNs);
    this.#mayClose();
    return true;
  }

  /**
   * Writes the next datagram that is to leave now. Call it until it returns false.
   * @param at where in the plan's buffer it goes @param flat page bytes are copied in, not left to be gathered
   */
  poll(nowNs: number, plan: DatagramPlan, at: number, flat: boolean): boolean {
    this.#nowNs = nowNs;
    if (this.#closeDue) return this.#emitClose(nowNs, plan, at);
    if (this.#state === 'broken' || !this.#timePassed(nowNs)) return false;
    if (this.#state !== 'closed') {
      const probe = this.#heard ? this.#flight.mtu.probeDue(nowNs) : 0;
      if (probe > 0 && this.#flight.packets.room) return this.#emitProbe(nowNs, plan, at, probe);
      const work = this.#hasWork();
      if (work && this.#flight.mayLeave(nowNs) && this.#emit(nowNs, plan, at, flat)) return true;
      this.#flight.rest(!work && this.#heard);
    }
    return this.#acks.owed && this.#acks.dueNs <= nowNs && this.#emitAck(nowNs, plan, at);
  }

  /** FragmentFate: what a packet carried goes back to whom it belongs. */
  fragmentAcked(kind: number, subject: number, version: number, length: number): void {
    if (kind !== FRAME_CONTROL) this.#outbox?.acked(kind, subject, version, length);
  }

  fragmentLost(kind: number, subject: number, version: number, offset: number, length: number): void {
    if (kind === FRAME_CONTROL) this.#control.lost(subject, version === 1, length);
    else this.#outbox?.lost(kind, subject, version, offset, length);
  }

  #hear(nowNs: number): void {
    this.#heard = true;
    this.#heardNs = nowNs;
    this.#keepNs = nowNs + this.#options.keepaliveNs;
    if (this.#state === 'opening') this.#state = 'open';
  }

  /** Takes in the frames the reader has open. @returns 1: acknowledge, 0: nothing in it asks for that, −1: of no use */
  #frames(nowNs: number, round: number, bytes: Uint8Array): number {
    const reader = this.#reader;
    const inbox = this.#inbox;
    let asks = 0;
    for (;;) {
      let taken = true;
      switch (reader.next()) {
        case FRAME_NONE:
          return asks;
        case FRAME_BAD:
          this.#malformed++;
          return -1;
        case FRAME_PAGE:
          taken = inbox?.fragment(round, reader, bytes) ?? false;
          break;
        case FRAME_ZERO:
          taken = inbox?.zeros(round, reader.pfn, reader.count, reader.version) ?? false;
          break;
        case FRAME_END:
          taken = inbox?.end(round, reader.count) ?? false;
          break;
        case FRAME_CONTROL: {
          const { dropped } = this.#controlIn;
          this.#controlIn.segment(reader.offset, bytes, reader.bytesAt, reader.length, reader.fin);
          taken = this.#controlIn.dropped === dropped;
          break;
        }
        case FRAME_ACK:
          if (this.#control.acknowledged(reader.controlAck, reader.controlWindow))
            this.#flight.acknowledged(nowNs, reader);
          continue;
        case FRAME_PARITY:
          this.#store().add(round, reader, bytes);
          continue;
        case FRAME_CLOSE:
          this.#state = 'broken';
          return 0;
        case FRAME_PROBE:
        case FRAME_PING:
          break;
      }
      if (!taken) return -1; // what was taken of this packet is taken again without harm when it comes anew
      asks = 1;
    }
  }

  /** Made only when the peer protects something: it takes 256 datagrams. */
  #store(): ParityStore {
    this.#parityStore ??= new ParityStore(this.#options.maxDatagramBytes);
    return this.#parityStore;
  }

  /** Lost packets that parity can give back are taken in as if they had come. */
  #recover(nowNs: number): void {
    const store = this.#store();
    while (store.recover()) {
      const { number, round } = store;
      if (this.#acks.has(number)) continue;
      this.#reader.openFrames(store.framesView, 0, store.length);
      if (this.#frames(nowNs, round, store.frames) < 0) continue;
      this.#recovered++;
      this.#acks.note(nowNs, number, true, true);
    }
  }

  /** @returns false when the silence has lasted too long */
  #timePassed(nowNs: number): boolean {
    const { keepaliveNs, silenceNs } = this.#options;
    if (this.#heardNs < 0) {
      this.#heardNs = nowNs;
      this.#keepNs = nowNs + keepaliveNs;
    }
    const asked = this.#flight.timeoutsInARow > 0 || nowNs >= this.#keepNs;
    if (asked && nowNs - this.#heardNs >= silenceNs) {
      this.#state = 'broken';
      return false;
    }
    if (this.#flight.timePassed(nowNs)) {
      this.#pingDue = true;
      const finOnly = this.#state === 'closing' && this.#control.unacknowledged === 0;
      if (finOnly && this.#flight.timeoutsInARow > FIN_TIMEOUTS_MAX) this.#state = 'closed';
    }
    if (nowNs >= this.#keepNs) {
      this.#keepNs = nowNs + keepaliveNs;
      this.#pingDue = true;
    }
    return true;
  }

  #hasContent(): boolean {
    return this.#control.pending || this.#outbox?.pending === true;
  }

  #hasWork(): boolean {
    return this.#pingDue || this.#parity.open > 0 || this.#hasContent();
  }

  /** A datagram of content, parity or a ping. @returns false when there was nothing after all */
  #emit(nowNs: number, plan: DatagramPlan, at: number, flat: boolean): boolean {
    const { packets } = this.#flight;
    const protecting = this.#protecting;
    let group = protecting ? this.#parity.fullBefore(packets.next) : -1;
    if (group < 0 && !this.#hasContent()) group = this.#parity.anyOpen();
    if (group >= 0) return this.#emitParity(nowNs, plan, at, group);
    // A protected packet leaves room for the frame that its parity has besides.
    this.#begin(plan, at, this.datagramBytes - (protecting ? PARITY_FRAME_BYTES : 0));
    if (this.#acks.owed) this.#acks.write(nowNs, plan, this.#controlIn.ack, this.#controlIn.tellWindow());
    this.#control.fill(plan, packets);
    this.#outbox?.fill(plan, packets, flat || protecting);
    if (packets.noted === 0) {
      if (!this.#pingDue) return false;
      writeShortFrame(plan.view, plan.take(SHORT_FRAME_BYTES), FRAME_PING);
    }
    this.#pingDue = false;
    const number = packets.next;
    const covered = protecting && packets.noted > 0;
    this.#flight.commit(nowNs, plan.length + this.#options.reservedBytes, true);
    const last = !this.#hasContent() || !this.#flight.roomForOne || this.#flight.timeoutsInARow > 0;
    if (covered) {
      const from = at + PACKET_HEADER_BYTES;
      this.#parity.protect(number, plan.bytes, from, plan.length - PACKET_HEADER_BYTES);
    }
    this.#header(plan, (last ? FLAG_ACK_NOW : 0) | (covered ? FLAG_PROTECTED : 0), number);
    return true;
  }

  #emitParity(nowNs: number, plan: DatagramPlan, at: number, group: number): boolean {
    const parity = this.#parity;
    const length = parity.length(group);
    this.#begin(plan, at, this.datagramBytes);
    const frameAt = plan.take(PARITY_FRAME_BYTES);
    const members = parity.members(group);
    writeParityFrame(plan.view, frameAt, members, parity.first(group), parity.lengthXor(group), length);
    plan.bytes.set(parity.bytes(group).subarray(0, length), plan.take(length));
    parity.close(group);
    this.#paritySent++;
    return this.#settled(nowNs, plan, true);
  }

  #emitProbe(nowNs: number, plan: DatagramPlan, at: number, probeBytes: number): boolean {
    const { packets, mtu } = this.#flight;
    this.#begin(plan, at, probeBytes);
    const from = plan.take(plan.room);
    plan.bytes.fill(0, from, plan.end);
    writeShortFrame(plan.view, from, FRAME_PROBE);
    plan.probe = true;
    const number = packets.next;
    packets.probeBytes[packets.slot(number)] = probeBytes;
    this.#flight.commit(nowNs, probeBytes, false);
    mtu.probeSent();
    this.#header(plan, FLAG_ACK_NOW, number);
    return true;
  }

  #emitAck(nowNs: number, plan: DatagramPlan, at: number): boolean {
    this.#begin(plan, at, this.datagramBytes);
    this.#acks.write(nowNs, plan, this.#controlIn.ack, this.#controlIn.tellWindow());
    return this.#settled(nowNs, plan, false);
  }

  #emitClose(nowNs: number, plan: DatagramPlan, at: number): boolean {
    this.#closeDue = false;
    this.#begin(plan, at, this.datagramBytes);
    writeShortFrame(plan.view, plan.take(SHORT_FRAME_BYTES), FRAME_CLOSE);
    return this.#settled(nowNs, plan, false);
  }

  #begin(plan: DatagramPlan, at: number, datagramBytes: number): void {
    this.#flight.packets.begin();
    plan.begin(at, datagramBytes - this.#options.reservedBytes);
    plan.take(PACKET_HEADER_BYTES);
  }

  #settled(nowNs: number, plan: DatagramPlan, paced: boolean): boolean {
    const number = this.#flight.packets.next;
    this.#flight.commitSettled(nowNs, plan.length + this.#options.reservedBytes, paced);
    this.#header(plan, 0, number);
    return true;
  }

  #header(plan: DatagramPlan, flags: number, number: number): void {
    this.#packets++;
    const who = this.initiator ? FLAG_INITIATOR | (this.#heard ? 0 : FLAG_OPENING) : 0;
    writePacketHeader(
      plan.view,
      plan.start,
      flags | who,
      this.connectionId,
      number,
      this.#outbox?.round ?? 0,
    );
  }

  /** Ended by both, or by the peer with nothing left to read. */
  #mayClose(): void {
    if (this.#state === 'closing' && this.#control.done) this.#state = 'closed';
    if (this.#controlIn.ended && this.#controlIn.readable === 0 && this.#state !== 'broken')
      this.#state = 'closed';
  }
}
