/**
 * What a client can know of the order in which the service handled its requests.
 *
 *   position   0    1    2    3    4   …        the service's count when it handled the request
 *   seq        0    1    2    ?    4            from responses, and from what they say came before
 *   chain      0    c1   c2   ?    c4
 *
 * A lost response leaves a hole, a lost request none. A response that agrees with no order in which the
 * requests could have been handled, each at most once and none before it was sent, is a fault of the guest.
 */
import { chainOf, type ResponseMessage, reorderWindowOf } from './service-wire.js';

const NOTHING = 0;

export class ServiceHistory {
  readonly #slotPages: number;
  /** By seq: when it was sent, the highest position known then, its position, what its slot held. */
  #sentAtNs = new Float64Array(1024);
  #floor = new Uint32Array(1024);
  #position = new Uint32Array(1024);
  #answered = new Uint8Array(1024);
  #slotPrev = new Uint32Array(1024);
  /** By position: the seq handled there (0: not known), and the chain where `#hasChain`. */
  #seqAt = new Uint32Array(1024);
  #chain = new Uint32Array(1024);
  #hasChain = new Uint8Array(1024);
  #sent = 0;
  /** Highest position known, and the highest seq known to be handled. */
  #top = 0;
  #highest = 0;
  /** Seqs whose position is known, and of the others those that fell out of the service's window. */
  #placed = 0;
  #expired = 0;
  #expiredTo = 0;
  /** Positions below are not judged: they belong to the time before a fault. */
  #base = 0;

  /** @param slotPages slot pages of the guest (`slotPagesOf`) */
  constructor(slotPages: number) {
    this.#slotPages = slotPages;
    this.#hasChain[0] = 1;
  }

  /** Requests sent so far; the last has this seq. */
  get sent(): number {
    return this.#sent;
  }

  /** Takes note of the next request. @returns its seq */
  send(nowNs: number): number {
    const seq = ++this.#sent;
    if (seq + 2 >= this.#sentAtNs.length) this.#growSeqs();
    this.#sentAtNs[seq] = nowNs;
    this.#floor[seq] = this.#top;
    return seq;
  }

  sentAtNs(seq: number): number {
    return this.#sentAtNs[seq]!;
  }

  /** Whether the response answers a request of ours, as it was asked: `null`, or what is wrong. */
  checkRequest(r: ResponseMessage): string | null {
    if (r.seq < 1 || r.seq > this.#sent) return `answers request ${r.seq}, and ${this.#sent} were sent`;
    if (r.sentAtNs !== this.#sentAtNs[r.seq]) return `answer ${r.seq} tells another time of sending`;
    return null;
  }

  /** Whether an answer to this seq was taken. */
  isAnswered(seq: number): boolean {
    return this.#answered[seq] === 1;
  }

  /** Whether this is word for word the response that was taken for its seq (or that can no longer be told). */
  isRepeat(r: ResponseMessage): boolean {
    const count = this.#position[r.seq]!;
    if (count === NOTHING) return true;
    return (
      r.count === count &&
      r.chain === this.#chain[count] &&
      r.prevSeq === this.#seqAt[count - 1] &&
      r.slotPrev === this.#slotPrev[r.seq]
    );
  }

  /** Whether count, previous seq and chain agree with what is known: `null`, or what is wrong. Changes nothing. */
  checkOrder(r: ResponseMessage): string | null {
    return this.#checkCount(r) ?? this.#checkPrevious(r) ?? this.#checkChain(r);
  }

  /**
   * Whether the slot held what it must: the newest request of its residue class that was handled. The window is
   * no longer than a round of slots, so that within a class requests are handled in order.
   */
  checkSlot(r: ResponseMessage): string | null {
    const step = this.#slotPages;
    let newest = r.seq - step;
    while (newest > 0 && this.#position[newest] === NOTHING) newest -= step;
    if (newest < 0) newest = 0;
    const held = r.slotPrev;
    if (held >= newest && held < r.seq && (held === 0 || (r.seq - held) % step === 0)) return null;
    return `the slot of request ${r.seq} held ${held || 'nothing'}, and must hold ${newest || 'nothing'} or a later one`;
  }

  /** Takes a response as true, after its order was checked or `restart` was called. */
  take(r: ResponseMessage): void {
    this.#answered[r.seq] = 1;
    this.#slotPrev[r.seq] = r.slotPrev;
    this.#place(r.seq, r.count);
    this.#chain[r.count] = r.chain;
    this.#hasChain[r.count] = 1;
    const before = r.count - 1;
    if (r.prevSeq === NOTHING) return;
    this.#place(r.prevSeq, before);
    if (this.#hasChain[before] === 0 && this.#hasChain[before - 1] === 1) {
      this.#chain[before] = chainOf(this.#chain[before - 1]!, r.prevSeq);
      this.#hasChain[before] = 1;
    }
  }

  /**
   * After a fault in the order: begins anew from what this response says, so that one fault is not counted
   * again and again. A response that says what cannot be under any history changes nothing.
   */
  restart(r: ResponseMessage): void {
    this.#answered[r.seq] = 1;
    const possible = r.count >= 1 && r.count <= this.#sent && r.prevSeq <= this.#sent && r.prevSeq !== r.seq;
    if (!possible || (r.prevSeq === NOTHING) !== (r.count === 1)) return;
    this.#position.fill(NOTHING);
    this.#floor.fill(0);
    this.#seqAt.fill(NOTHING);
    this.#hasChain.fill(0);
    this.#hasChain[0] = 1;
    this.#base = r.count - 1;
    this.#top = 0;
    this.#highest = 0;
    this.#placed = 0;
    this.#expired = 0;
    this.#expiredTo = 0;
    this.take(r);
  }

  #checkCount(r: ResponseMessage): string | null {
    const known = this.#position[r.seq]!;
    if (known !== NOTHING) {
      if (known === r.count) return null;
      return `request ${r.seq} was handled twice, as number ${known} and as number ${r.count}`;
    }
    const floor = this.#floor[r.seq]!;
    if (r.count <= floor) {
      return `request ${r.seq} is number ${r.count} of the service, and number ${floor} was answered before it was sent`;
    }
    const other = this.#seqAt[r.count] ?? NOTHING;
    if (other !== NOTHING) {
      return `requests ${other} and ${r.seq} are both number ${r.count}`;
    }
    const most = this.#top + this.#sent - this.#placed - this.#expired;
    if (r.count > most) {
      return `request ${r.seq} is number ${r.count}, and no more than ${most} can have been handled`;
    }
    return null;
  }

  #checkPrevious(r: ResponseMessage): string | null {
    const before = r.count - 1;
    if (before < this.#base) return null;
    const known = this.#seqAt[before] ?? NOTHING;
    const impossible =
      before === 0 ? r.prevSeq !== NOTHING : r.prevSeq < 1 || r.prevSeq > this.#sent || r.prevSeq === r.seq;
    if (impossible || (known !== NOTHING && known !== r.prevSeq)) {
      return `request ${r.seq} follows ${r.prevSeq}, and must follow ${known || (before === 0 ? 'none' : 'another')}`;
    }
    const position = this.#position[r.prevSeq]!;
    if (r.prevSeq !== NOTHING && position !== NOTHING && position !== before) {
      return `request ${r.seq} follows ${r.prevSeq}, which is number ${position} and not ${before}`;
    }
    return null;
  }

  #checkChain(r: ResponseMessage): string | null {
    let expected = -1;
    if (this.#hasChain[r.count - 1] === 1) expected = chainOf(this.#chain[r.count - 1]!, r.seq);
    else if (r.count >= 2 && this.#hasChain[r.count - 2] === 1) {
      expected = chainOf(chainOf(this.#chain[r.count - 2]!, r.prevSeq), r.seq);
    }
    const after = r.count + 1;
    const breaksNext =
      this.#hasChain[after] === 1 && this.#chain[after] !== chainOf(r.chain, this.#seqAt[after]!);
    if (breaksNext || (expected !== -1 && expected !== r.chain)) {
      return `the chain is broken at request ${r.seq}`;
    }
    return null;
  }

  #place(seq: number, count: number): void {
    while (count + 2 >= this.#seqAt.length) this.#growPositions();
    if (this.#position[seq] === NOTHING) {
      this.#position[seq] = count;
      this.#placed++;
      if (seq <= this.#expiredTo) this.#expired--;
    }
    this.#seqAt[count] = seq;
    if (count > this.#top) this.#top = count;
    if (seq > this.#highest) this.#highest = seq;
    for (const end = this.#highest - reorderWindowOf(this.#slotPages); this.#expiredTo < end; ) {
      if (this.#position[++this.#expiredTo] === NOTHING) this.#expired++;
    }
  }

  #growSeqs(): void {
    this.#sentAtNs = grown(this.#sentAtNs, new Float64Array(this.#sentAtNs.length * 2));
    this.#floor = grown(this.#floor, new Uint32Array(this.#floor.length * 2));
    this.#position = grown(this.#position, new Uint32Array(this.#position.length * 2));
    this.#answered = grown(this.#answered, new Uint8Array(this.#answered.length * 2));
    this.#slotPrev = grown(this.#slotPrev, new Uint32Array(this.#slotPrev.length * 2));
  }

  #growPositions(): void {
    this.#seqAt = grown(this.#seqAt, new Uint32Array(this.#seqAt.length * 2));
    this.#chain = grown(this.#chain, new Uint32Array(this.#chain.length * 2));
    this.#hasChain = grown(this.#hasChain, new Uint8Array(this.#hasChain.length * 2));
  }
}

function grown<T extends Uint8Array | Uint32Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
