/**
 * The frames of a capture as they are to be sent, in order, loop after loop.
 *
 *   packet ─ framed ─ filled up ─ side ─ rewritten ─ cut to the MTU ─► batch
 *
 * What is not sent is counted by why. Bounded: one batch of the file and one of the replay at a time.
 */

import type { CaptureReader } from '../capture/files/index.js';
import { LINK_ETHERNET, LINK_EVENTS, MAX_SNAP_BYTES, type ReadPacket } from '../capture/index.js';
import { packetWireBytes } from '../fiber/index.js';
import { BatchMaker, type FrameBatch } from './batch.js';
import { filledUp, fits, segmentsOf } from './fit-mtu.js';
import { frameHash } from './frame-hash.js';
import { toEthernet } from './link-layer.js';
import { type RewriteRules, Rewriter } from './rewrite.js';
import { type Placed, type Side, SideFinder, type SideMap } from './sides.js';

/** What became of the packets of the capture, over all loops. */
export interface TrainCounters {
  /** Packets read, loops counted, without those of other interfaces and copies of a packet seen before. */
  packets: number;
  /** Frames that were made of them and handed over. */
  frames: number;
  /** Packets above the MTU that were cut into segments, and the frames that came of them. */
  cut: number;
  segments: number;
  /** Above the MTU and nothing that a network card cuts: not sent. */
  aboveMtu: number;
  /** Kept shorter than they were by the capture: filled up with zeros. */
  truncated: number;
  /** Both ends at one site: not sent. */
  sameSide: number;
  /** From the other site than was asked for: not sent. */
  otherSide: number;
  /** Neither a frame nor an IP packet: not sent. */
  noFrame: number;
}

export interface TrainOptions {
  readonly mtu: number;
  readonly rewrite: RewriteRules;
  readonly loops: number;
  /** Only packets of the interface of this name; null for all. */
  readonly interfaceName: string | null;
  /** Frames that do not cross are sent too: there is no other site. */
  readonly sendAll: boolean;
  /** Only what leaves this site; null for both. */
  readonly from: Side | null;
}

/** Packet ids remembered: a frame passes all its interfaces within the fiber's delay. */
const IDS_REMEMBERED = 1 << 16;

/** Chooses what of a capture is replayed: a frame that was seen at several interfaces goes once. */
export class Selection {
  readonly #interfaceName: string | null;
  readonly #seen = new Set<number>();

  constructor(interfaceName: string | null) {
    this.#interfaceName = interfaceName;
  }

  wants(packet: ReadPacket, reader: CaptureReader): boolean {
    const { interfaceId, packetId } = packet;
    const seenAt = reader.interfaces[interfaceId];
    if (seenAt === undefined || seenAt.linkType === LINK_EVENTS) return false;
    if (this.#interfaceName !== null) return seenAt.name === this.#interfaceName;
    if (packetId === null) return true;
    if (this.#seen.has(packetId)) return false;
    this.#seen.add(packetId);
    if (this.#seen.size > IDS_REMEMBERED) this.#seen.delete(this.#seen.values().next().value!);
    return true;
  }
}

/** What one pass over the capture tells. */
export interface Survey {
  readonly sides: SideMap;
  readonly packets: number;
  /** From the first packet to the last that is sent. */
  readonly durationNs: number;
}

/** Reads the capture once, to find the sides and its length. */
export async function survey(
  open: () => Promise<CaptureReader>,
  interfaceName: string | null,
  given: SideMap | null,
): Promise<Survey> {
  const finder = new SideFinder();
  const selection = new Selection(interfaceName);
  const reader = await open();
  let packets = 0;
  let firstNs = 0;
  let lastNs = 0;
  for await (const batch of reader.batches()) {
    for (const packet of batch) {
      if (!selection.wants(packet, reader)) continue;
      if (packets++ === 0) firstNs = lastNs = packet.atNs;
      lastNs = Math.max(lastNs, packet.atNs);
      if (given !== null) continue;
      const frame = toEthernet(reader.interfaces[packet.interfaceId]!.linkType, packet.bytes);
      if (frame !== null) finder.heard(frame);
    }
  }
  return { sides: given ?? finder.found(), packets, durationNs: lastNs - firstNs };
}

export class Train {
  readonly counters: TrainCounters = {
    packets: 0,
    frames: 0,
    cut: 0,
    segments: 0,
    aboveMtu: 0,
    truncated: 0,
    sameSide: 0,
    otherSide: 0,
    noFrame: 0,
  };
  readonly #open: () => Promise<CaptureReader>;
  readonly #options: TrainOptions;
  readonly #survey: Survey;
  readonly #rewriter: Rewriter;
  readonly #maker = new BatchMaker();
  readonly #placed: Placed = { side: 'a', crosses: true };
  #loop = 0;
  #firstNs = 0;
  #isFirst = true;

  constructor(open: () => Promise<CaptureReader>, found: Survey, options: TrainOptions) {
    this.#open = open;
    this.#survey = found;
    this.#options = options;
    this.#rewriter = new Rewriter(options.rewrite);
  }

  /** One loop begins this long after the one before it: as if one more packet had followed at the mean distance. */
  get loopPeriodNs(): number {
    const { durationNs, packets } = this.#survey;
    return durationNs + (packets > 1 ? Math.round(durationNs / (packets - 1)) : 0);
  }

  async *batches(): AsyncGenerator<FrameBatch, void, undefined> {
    for (this.#loop = 0; this.#loop < this.#options.loops; this.#loop++) {
      const selection = new Selection(this.#options.interfaceName);
      const reader = await this.#open();
      this.#isFirst = true;
      for await (const batch of reader.batches()) {
        for (const packet of batch) {
          if (!selection.wants(packet, reader)) continue;
          const linkType = reader.interfaces[packet.interfaceId]!.linkType;
          for (const frame of this.#framesOf(packet, linkType)) {
            if (!this.#maker.hasRoom(frame.length)) yield this.#maker.take();
            this.#add(frame, packet.atNs - this.#firstNs);
          }
        }
      }
    }
    if (!this.#maker.isEmpty) yield this.#maker.take();
  }

  #framesOf(packet: ReadPacket, linkType: number): readonly Uint8Array[] {
    const { counters } = this;
    const { mtu, sendAll, from } = this.#options;
    if (this.#isFirst) this.#firstNs = packet.atNs;
    this.#isFirst = false;
    counters.packets++;
    const captured = toEthernet(linkType, packet.bytes);
    if (captured === null || captured.length < 14) {
      counters.noFrame++;
      return [];
    }
    this.#survey.sides.place(captured, this.#placed);
    if (!this.#placed.crosses && !sendAll) {
      counters.sameSide++;
      return [];
    }
    if (from !== null && this.#placed.side !== from) {
      counters.otherSide++;
      return [];
    }
    const missing = packet.originalBytes - packet.bytes.length;
    if (missing > MAX_SNAP_BYTES) {
      // The length is the file's word, and no frame is filled up to whatever it says.
      counters.aboveMtu++;
      return [];
    }
    if (missing > 0) counters.truncated++;
    let frame = missing > 0 ? filledUp(captured, captured.length + missing) : captured;
    if (this.#rewriter.changes(this.#loop)) {
      // What was read stays as it is: the reader's bytes may be behind other packets too.
      const own = frame === captured && linkType === LINK_ETHERNET ? new Uint8Array(frame) : frame;
      frame = this.#rewriter.apply(own, this.#loop);
    }
    if (fits(frame, mtu)) return [frame];
    const segments = segmentsOf(frame, mtu);
    if (segments === null) {
      counters.aboveMtu++;
      return [];
    }
    counters.cut++;
    counters.segments += segments.length;
    return segments;
  }

  #add(frame: Uint8Array, atNs: number): void {
    const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
    this.counters.frames++;
    this.#maker.add(
      frame,
      this.#loop * this.loopPeriodNs + atNs,
      packetWireBytes(frame.length),
      frameHash(view, 0, frame.length),
      this.#placed.side,
    );
  }
}
