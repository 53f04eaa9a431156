/**
 * Parity over the flight that ends the pause: XOR groups of up to 8 datagrams, four groups interleaved, so that each
 * loses at most one to a burst of four.
 *
 *   packets   0  1  2  3 │ 4  5  6  7 │ … 28 29 30 31        parity 0..3
 *   group     A  B  C  D │ A  B  C  D │ …  A  B  C  D   ──►  A  B  C  D
 *
 * XOR, not Reed–Solomon: it costs 0.2 µs a datagram where GF(256) tables cost 2 µs a datagram and parity row, the
 * pause is what it is meant to save, and the second loss of a group is rare where it matters (5 % loss: one group in
 * fourteen) and costs the round trip that every loss would. A group of one is a copy: a lone FINAL is sent twice.
 *
 * XOR is over the frames; the header need not be: the number follows from the group, the round is the parity's own.
 */
import { DATAGRAM_BYTES_MAX, type PacketReader } from './packet-codec.js';

export const PARITY_GROUPS = 4;
export const PARITY_MEMBERS_MAX = 8;
/** Members are named in 32 bits. */
const SPAN = 32;
/** Protected packets the receiver keeps: far more than can be overtaken within a flight. */
const KEPT = 256;
/** Parity that waits for a second missing packet to come by itself. */
const WAITING = 16;

/** Both arrays begin at a multiple of 4; `length` is rounded up to one: what lies behind must be zero in `from`. */
function xorInto(into: Uint32Array, from: Uint32Array, words: number): void {
  for (let i = 0; i < words; i++) into[i] = into[i]! ^ from[i]!;
}

function words(bytes: number): number {
  return (bytes + 3) >>> 2;
}

/** The sender's groups. */
export class ParityGroups {
  readonly #scratch = new Uint8Array(DATAGRAM_BYTES_MAX + 4);
  readonly #scratchWords = new Uint32Array(this.#scratch.buffer);
  readonly #bytes = Array.from({ length: PARITY_GROUPS }, () => new Uint8Array(DATAGRAM_BYTES_MAX + 4));
  readonly #words = this.#bytes.map((b) => new Uint32Array(b.buffer));
  readonly #first = new Float64Array(PARITY_GROUPS);
  readonly #members = new Uint32Array(PARITY_GROUPS);
  readonly #counts = new Uint8Array(PARITY_GROUPS);
  readonly #lengthXor = new Uint16Array(PARITY_GROUPS);
  readonly #lengths = new Uint16Array(PARITY_GROUPS);
  #turn = 0;
  #open = 0;

  /** Groups with members: their parity has not left. */
  get open(): number {
    return this.#open;
  }

  /** A group whose parity must leave before packet `next` may be protected; −1 when there is none. */
  fullBefore(next: number): number {
    for (let g = 0; g < PARITY_GROUPS; g++) {
      if (this.#counts[g]! === 0) continue;
      if (this.#counts[g]! >= PARITY_MEMBERS_MAX || next - this.#first[g]! >= SPAN) return g;
    }
    return -1;
  }

  /** Any open group, −1 when there is none. */
  anyOpen(): number {
    for (let g = 0; g < PARITY_GROUPS; g++) if (this.#counts[g]! > 0) return g;
    return -1;
  }

  /** Takes a packet's frames into the group whose turn it is. */
  protect(number: number, bytes: Uint8Array, at: number, length: number): void {
    const g = this.#turn;
    this.#turn = (g + 1) % PARITY_GROUPS;
    this.#scratch.set(bytes.subarray(at, at + length));
    this.#scratch.fill(0, length, words(length) * 4);
    if (this.#counts[g] === 0) {
      this.#open++;
      this.#first[g] = number;
      this.#members[g] = 0;
      this.#lengthXor[g] = 0;
      this.#lengths[g] = 0;
      this.#bytes[g]!.fill(0);
    }
    this.#members[g] = this.#members[g]! | (1 << (number - this.#first[g]!));
    this.#counts[g] = this.#counts[g]! + 1;
    this.#lengthXor[g] = this.#lengthXor[g]! ^ length;
    if (length > this.#lengths[g]!) this.#lengths[g] = length;
    xorInto(this.#words[g]!, this.#scratchWords, words(length));
  }

  first(g: number): number {
    return this.#first[g]!;
  }

  members(g: number): number {
    return this.#members[g]!;
  }

  lengthXor(g: number): number {
    return this.#lengthXor[g]!;
  }

  length(g: number): number {
    return this.#lengths[g]!;
  }

  /** The parity of group `g`, `length(g)` bytes. */
  bytes(g: number): Uint8Array {
    return this.#bytes[g]!;
  }

  /** The group's parity has left. */
  close(g: number): void {
    this.#counts[g] = 0;
    this.#open--;
  }
}

/** The receiver's side: protected packets as they came, and parity that still misses more than one. */
export class ParityStore {
  readonly #rowBytes: number;
  readonly #bytes: Uint8Array;
  readonly #words: Uint32Array;
  readonly #numbers = new Float64Array(KEPT).fill(-1);
  readonly #lengths = new Uint16Array(KEPT);
  readonly #waiting: Uint8Array[];
  readonly #waitingFirst = new Float64Array(WAITING);
  readonly #waitingMembers = new Uint32Array(WAITING);
  readonly #waitingXor = new Uint16Array(WAITING);
  readonly #waitingRound = new Uint16Array(WAITING);
  readonly #waitingLength = new Uint16Array(WAITING);
  #turn = 0;

  /** What `recover` gave back: frames[0 … length), packet and round. */
  readonly frames: Uint8Array;
  readonly framesView: DataView;
  readonly #frameWords: Uint32Array;
  length = 0;
  number = -1;
  round = 0;

  /** @param datagramBytes the largest datagram the path carries */
  constructor(datagramBytes: number) {
    this.#rowBytes = words(datagramBytes) * 4;
    this.#bytes = new Uint8Array(KEPT * this.#rowBytes);
    this.#words = new Uint32Array(this.#bytes.buffer);
    this.#waiting = Array.from({ length: WAITING }, () => new Uint8Array(this.#rowBytes));
    this.frames = new Uint8Array(this.#rowBytes);
    this.framesView = new DataView(this.frames.buffer);
    this.#frameWords = new Uint32Array(this.frames.buffer);
  }

  /** A protected packet came: its frames. */
  keep(number: number, bytes: Uint8Array, at: number, length: number): void {
    if (length > this.#rowBytes) return;
    const row = number % KEPT;
    const to = row * this.#rowBytes;
    this.#numbers[row] = number;
    this.#lengths[row] = length;
    this.#bytes.set(bytes.subarray(at, at + length), to);
    this.#bytes.fill(0, to + length, to + words(length) * 4);
  }

  /** A PARITY frame, which `reader` has in hand; its bytes stand in `bytes`. @param round of its packet */
  add(round: number, reader: PacketReader, bytes: Uint8Array): void {
    const { first, members, lengthXor, length, bytesAt } = reader;
    if (length > this.#rowBytes) return;
    const w = this.#turn;
    this.#turn = (w + 1) % WAITING;
    this.#waitingFirst[w] = first;
    this.#waitingMembers[w] = members;
    this.#waitingXor[w] = lengthXor;
    this.#waitingRound[w] = round;
    this.#waitingLength[w] = length;
    this.#waiting[w]!.fill(0).set(bytes.subarray(bytesAt, bytesAt + length));
  }

  /** Whether any parity is kept that may yet give a packet back. */
  get hopeful(): boolean {
    for (let w = 0; w < WAITING; w++) if (this.#waitingMembers[w] !== 0) return true;
    return false;
  }

  /** Gives one missing packet back, if some group misses exactly one: see `frames`. @returns whether it did */
  recover(): boolean {
    for (let w = 0; w < WAITING; w++) {
      const members = this.#waitingMembers[w]!;
      if (members === 0) continue;
      let missing = -1;
      let more = false;
      for (let i = 0; i < SPAN; i++) {
        if ((members & (1 << i)) === 0) continue;
        const number = this.#waitingFirst[w]! + i;
        if (this.#numbers[number % KEPT] === number) continue;
        more = missing >= 0;
        missing = number;
        if (more) break;
      }
      if (more) continue;
      this.#waitingMembers[w] = 0;
      if (missing >= 0 && this.#rebuild(w, members, missing)) return true;
    }
    return false;
  }

  #rebuild(w: number, members: number, missing: number): boolean {
    const row = this.#frameWords;
    this.frames.set(this.#waiting[w]!);
    let length = this.#waitingXor[w]!;
    for (let i = 0; i < SPAN; i++) {
      const number = this.#waitingFirst[w]! + i;
      if ((members & (1 << i)) === 0 || number === missing) continue;
      const from = number % KEPT;
      length ^= this.#lengths[from]!;
      const at = (from * this.#rowBytes) >>> 2;
      const n = words(this.#lengths[from]!);
      for (let k = 0; k < n; k++) row[k] = row[k]! ^ this.#words[at + k]!;
    }
    if (length > this.#waitingLength[w]!) return false; // not what its sender meant
    this.length = length;
    this.number = missing;
    this.round = this.#waitingRound[w]!;
    this.keep(missing, this.frames, 0, length);
    return true;
  }
}
