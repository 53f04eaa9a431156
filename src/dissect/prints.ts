/**
 * The prints of a capture, packet by packet, in arrays that grow: 53 bytes a packet, and what matching adds.
 *
 *   parts 7 × u32 (frame-print.ts) │ packet id f64 │ number u32 │ stamp f64
 */
import type { ReadPacket } from '../capture/index.js';
import { ConfigError } from '../core/index.js';
import { frameParts, PRINT_PARTS } from './frame-print.js';

export type DissectErrorCode = 'DISSECT_LIMIT';

const PACKETS_MAX = 4_000_000;
const PACKETS_FIRST = 1024;
export const PARTS = PRINT_PARTS.length;
/** In place of a packet id, of a packet that has none. */
const NO_ID = -1;

export class Prints {
  count = 0;
  parts = new Uint32Array(PACKETS_FIRST * PARTS);
  /** In the capture, from 1. */
  numbers = new Uint32Array(PACKETS_FIRST);
  atNs = new Float64Array(PACKETS_FIRST);
  #ids = new Float64Array(PACKETS_FIRST);
  /** Whether every packet has an id. */
  haveIds = true;

  /** @throws ConfigError DISSECT_LIMIT */
  add(number: number, packet: ReadPacket, frame: Uint8Array): void {
    if (this.count === PACKETS_MAX) {
      throw new ConfigError<DissectErrorCode>(
        'DISSECT_LIMIT',
        `a capture of more than ${PACKETS_MAX} packets is not compared`,
        { hint: 'cut it by time or by interface: editcap -A … -B …, or --interface-a and --interface-b' },
      );
    }
    if (this.count === this.numbers.length) this.#grow();
    const i = this.count++;
    frameParts(frame, this.parts.subarray(i * PARTS, (i + 1) * PARTS));
    this.numbers[i] = number;
    this.atNs[i] = packet.atNs;
    this.#ids[i] = packet.packetId ?? NO_ID;
    this.haveIds &&= packet.packetId !== null;
  }

  id(i: number): number {
    return this.#ids[i]!;
  }

  part(i: number, part: number): number {
    return this.parts[i * PARTS + part]!;
  }

  #grow(): void {
    const packets = this.numbers.length * 2;
    const [parts, numbers, atNs, ids] = [this.parts, this.numbers, this.atNs, this.#ids];
    this.parts = new Uint32Array(packets * PARTS);
    this.parts.set(parts);
    this.numbers = new Uint32Array(packets);
    this.numbers.set(numbers);
    this.atNs = new Float64Array(packets);
    this.atNs.set(atNs);
    this.#ids = new Float64Array(packets);
    this.#ids.set(ids);
  }
}
