/**
 * The client's side of the service: sends requests, and checks of every answer that it is what a guest says that
 * lost nothing and did nothing twice.
 *
 *   next ──► seq, sent at ──► …network… ──► answer ──► foreign | duplicate | right | wrong
 *
 * Loss, delay, duplication and reordering in the network are never wrong; a client table or slot page that was
 * rolled back, a request handled twice and one answered without being handled are (service-history.ts).
 */
import { ConfigError } from '../core/index.js';
import type { Verdict } from './echo-ledger.js';
import type { GuestErrorCode } from './errors.js';
import { ServiceHistory } from './service-history.js';
import { REQUEST_SIZE, RequestMessage, ResponseMessage } from './service-wire.js';
import { SessionBook } from './session-stats.js';

export class ServiceLedger extends SessionBook {
  readonly client: number;
  readonly #history: ServiceHistory;
  readonly #request = new RequestMessage();
  readonly #response = new ResponseMessage();
  readonly #payload = new Uint8Array(REQUEST_SIZE);
  #phaseFirst = 1;

  /**
   * @param client 1..2^32-1, not used with this guest before
   * @param slotPages slot pages of the guest (`slotPagesOf`)
   * @throws ConfigError `GUEST_CLIENT_RANGE`
   */
  constructor(client: number, slotPages: number) {
    super();
    if (!Number.isInteger(client) || client < 1 || client > 0xffffffff) {
      throw new ConfigError<GuestErrorCode>('GUEST_CLIENT_RANGE', `client ${client} is outside 1..2^32-1`, {
        details: { client },
        hint: 'number the clients from 1',
      });
    }
    this.client = client;
    this.#history = new ServiceHistory(slotPages);
  }

  override reset(): void {
    super.reset();
    this.#phaseFirst = this.#history.sent + 1;
  }

  /** The next request's payload, in a buffer that the following `next` reuses. */
  next(nowNs: number): Uint8Array {
    this.#request.client = this.client;
    this.#request.seq = this.#history.send(nowNs);
    this.#request.sentAtNs = nowNs;
    this.#request.write(this.#payload, 0);
    this.countSent();
    return this.#payload;
  }

  /** Takes a datagram from the service's port, `length` bytes at `start` of `data`. */
  answer(nowNs: number, data: Uint8Array, start = 0, length = data.length - start): Verdict {
    const r = this.#response;
    if (!r.read(data, start, length) || r.client !== this.client) return 'foreign';
    const history = this.#history;
    const misfit = history.checkRequest(r);
    if (misfit !== null) return this.#wrong(misfit);
    if (history.isAnswered(r.seq)) {
      if (!history.isRepeat(r)) return this.#wrong(`request ${r.seq} was answered twice, and differently`);
      this.countDuplicate();
      return 'duplicate';
    }
    this.countAnswer(nowNs, nowNs - r.sentAtNs, r.seq < this.#phaseFirst);
    const disorder = history.checkOrder(r);
    if (disorder !== null) {
      if (r.count === 1) this.countReset();
      history.restart(r);
      return this.#wrong(disorder);
    }
    const stale = history.checkSlot(r);
    history.take(r);
    return stale === null ? 'right' : this.#wrong(stale);
  }

  #wrong(text: string): Verdict {
    this.countWrong(text);
    return 'wrong';
  }
}
