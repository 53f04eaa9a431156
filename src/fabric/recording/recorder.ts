/**
 * Takes what the fabric put into the ring and writes it, in the order of time.
 *
 *   ring ─► scan ─► sorted by stamp, the last 200 ms held back ─► filter ─► [cut] ─► file
 *
 * A stamp may lie before the one of the record before it (a frame enters the fiber when this machine's kernel had it,
 * and other processes tell of events when they get round to it), but hardly by as much as is held back; so the file is
 * in order. What is held back stays in the ring, and goes out early when that fills.
 */

import { CaptureFile } from '../../capture/files/index.js';
import {
  type CaptureEpoch,
  type CaptureFilter,
  dropVerdict,
  type FilterPlace,
  LINK_ETHERNET,
  type PacketDirection,
  placeOf,
  type RecordingReport,
} from '../../capture/index.js';
import { type Frame, NO_OFFLOAD } from '../../core/index.js';
import { completeChecksum, packetsOf, toWirePackets } from '../../l2/index.js';
import type { InterfaceTally } from './frame-tap.js';
import { filterOf, type RecordingOptions, statisticsOf } from './options.js';
import { dropComment, reasonOfNumber } from './reasons.js';
import { KIND_EVENT, KIND_INTERFACE, RingReader } from './record-ring.js';

const HOLD_BACK_NS = 200e6;
/** Of a busy ring this many records are looked at before what is ready is written. */
const MOST_HELD = 65_536;

const DIRECTIONS: readonly (PacketDirection | null)[] = [null, 'in', 'out'];

interface Comment {
  readonly atNs: number;
  readonly text: string;
}

export class Recorder {
  readonly #ring: RingReader;
  readonly #file: CaptureFile;
  readonly #filter: CaptureFilter | null;
  readonly #wire: boolean;
  /** What stamps of the fabric count from, on its own clock. */
  readonly #baseNs: number;
  readonly #places: FilterPlace[] = [];
  readonly #fileIds: number[] = [];
  readonly #filtered: number[] = [];
  /** Positions and stamps of records that were looked at and not written, by stamp. */
  readonly #held: number[] = [];
  readonly #heldNs: number[] = [];
  readonly #comments: Comment[] = [];

  /**
   * @param epoch the instant that `baseNs` of CLOCK_MONOTONIC was
   * @throws ConfigError CAPTURE_…
   */
  constructor(memory: SharedArrayBuffer, options: RecordingOptions, epoch: CaptureEpoch, baseNs: number) {
    const { path, format = 'pcapng', wire = false, snapBytes, ring, comments = [] } = options;
    this.#ring = new RingReader(memory);
    this.#filter = filterOf(options);
    this.#wire = wire;
    this.#baseNs = baseNs;
    this.#file = new CaptureFile(path, {
      format,
      epoch,
      comments,
      ...(snapBytes === undefined ? {} : { snapBytes }),
      ...(ring === undefined ? {} : { ring }),
    });
  }

  /** A line at an instant of CLOCK_MONOTONIC. */
  comment(atNs: number, text: string): void {
    this.#comments.push({ atNs, text });
    this.#comments.sort((x, y) => x.atNs - y.atNs);
  }

  /**
   * Writes what is ready.
   * @param nowNs CLOCK_MONOTONIC; Infinity holds nothing back
   * @returns whether there was anything new
   */
  drain(nowNs: number): boolean {
    const scanned = this.#scan();
    const isFull = this.#held.length === MOST_HELD || this.#ring.isCrowded;
    const untilNs = isFull ? Number.POSITIVE_INFINITY : nowNs - HOLD_BACK_NS;
    let ready = 0;
    while (ready < this.#held.length && this.#heldNs[ready]! <= untilNs) ready++;
    for (let i = 0; i < ready; i++) {
      this.#writeComments(this.#heldNs[i]!);
      this.#write(this.#held[i]!);
    }
    this.#held.splice(0, ready);
    this.#heldNs.splice(0, ready);
    this.#freeRing();
    this.#writeComments(nowNs - HOLD_BACK_NS);
    if (scanned === 0) this.#file.flush();
    return scanned > 0;
  }

  /** Writes all that is left, the statistics, and closes. */
  finish(tallies: readonly InterfaceTally[] | null): RecordingReport {
    while (this.drain(Number.POSITIVE_INFINITY));
    const statistics = (tallies ?? []).flatMap((tally) => {
      const fileId = this.#fileIds[tally.interfaceId];
      const filtered = this.#filtered[tally.interfaceId] ?? 0;
      return fileId === undefined ? [] : [{ ...statisticsOf(tally, filtered), interfaceId: fileId }];
    });
    this.#file.close(statistics);
    return {
      path: this.#file.place,
      packets: this.#file.packets,
      bytes: this.#file.bytes,
      filtered: this.#filtered.reduce((sum, n) => sum + n, 0),
      unrecorded: (tallies ?? []).reduce((sum, { unrecorded }) => sum + unrecorded, 0),
      failure: null,
    };
  }

  #scan(): number {
    let scanned = 0;
    while (this.#held.length < MOST_HELD) {
      const position = this.#ring.scan();
      if (position < 0) break;
      scanned++;
      if (this.#ring.kind(position) === KIND_INTERFACE) this.#describe(position);
      else this.#hold(position, this.#ring.atNs(position));
    }
    return scanned;
  }

  /** Puts it in its place by stamp, which is at the end or near it. */
  #hold(position: number, atNs: number): void {
    let at = this.#held.length;
    while (at > 0 && this.#heldNs[at - 1]! > atNs) at--;
    if (at === this.#held.length) {
      this.#held.push(position);
      this.#heldNs.push(atNs);
    } else {
      this.#held.splice(at, 0, position);
      this.#heldNs.splice(at, 0, atNs);
    }
  }

  #freeRing(): void {
    if (this.#held.length === 0) {
      this.#ring.free(-1);
      return;
    }
    // Positions are counted on for ever and wrap: the oldest is the one farthest behind the newest.
    const newest = this.#held[this.#held.length - 1]!;
    let oldest = newest;
    for (const position of this.#held) {
      if (((newest - position) | 0) > ((newest - oldest) | 0)) oldest = position;
    }
    this.#ring.free(oldest);
  }

  #describe(position: number): void {
    const [name = '', description = ''] = this.#ring.text(position).split('\n');
    const id = this.#ring.interfaceId(position);
    this.#places[id] = placeOf(name, description, LINK_ETHERNET);
    this.#fileIds[id] = this.#file.addInterface({ name, description });
    this.#filtered[id] = 0;
  }

  #writeComments(untilNs: number): void {
    while (this.#comments.length > 0 && this.#comments[0]!.atNs <= untilNs) {
      const { atNs, text } = this.#comments.shift()!;
      this.#file.comment(atNs - this.#baseNs, text);
    }
  }

  #write(position: number): void {
    const ring = this.#ring;
    const atNs = ring.atNs(position) - this.#baseNs;
    if (ring.kind(position) === KIND_EVENT) {
      this.#file.comment(atNs, ring.text(position));
      return;
    }
    const id = ring.interfaceId(position);
    const direction = DIRECTIONS[ring.direction(position)]!;
    const reason = reasonOfNumber(ring.reason(position));
    const start = ring.dataAt(position);
    const end = start + ring.keptBytes(position);
    if (
      this.#filter !== null &&
      !this.#filter.matches(this.#places[id]!, direction, reason, ring.bytes, start, end)
    ) {
      this.#filtered[id]!++;
      return;
    }
    const packetId = ring.packetId(position);
    const unrecorded = ring.unrecorded(position);
    const notes = {
      direction,
      packetId: packetId === 0 ? null : packetId,
      unrecorded,
      verdict: reason === null ? null : dropVerdict(reason),
      comment: reason === null ? null : dropComment(reason),
    };
    const fileId = this.#fileIds[id]!;
    if (!this.#wire) {
      this.#file.put(fileId, atNs, ring.bytes, start, end, ring.frameBytes(position), notes);
      return;
    }
    for (const packet of wirePackets(ring.frame(position))) {
      this.#file.put(fileId, atNs, packet, 0, packet.length, packet.length, notes);
    }
  }
}

function wirePackets(frame: Frame): Uint8Array[] {
  if (packetsOf(frame) > 1) return toWirePackets(frame);
  const { data, start, length } = completeChecksum(
    frame.offload.gsoSize === 0 ? frame : { ...frame, offload: NO_OFFLOAD },
  );
  return [data.subarray(start, start + length)];
}
