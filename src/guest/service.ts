/**
 * The service that clients talk to: it remembers, in guest memory only, what each client asked, and every
 * answer tells of what was before. A page that did not come along in a move shows in the next answers.
 *
 *   client table, one entry of 16 words per client, found by probing from client mod 64:
 *     0 client   1 count   2 last seq   3 chain   4 highest seq   7 repeated   8 … 15 window
 *   slot page (seq mod S), one slot of 16 words per client:
 *     0 the seq that was handled there last
 *
 *   handle seq:  count += 1 · chain = mix(chain, seq) · answer what was in the slot · slot = seq
 *
 * The window holds a bit for each of the 256 seqs up to the highest (fewer in a guest of few slot pages): a request is
 * handled at most once, however often the network delivers it, so that handling twice is always the guest's fault.
 * Requests that were forwarded after a pause may come a hundred milliseconds behind those that came by themselves.
 */
import { CLIENT_WORDS, CLIENTS, type GuestLayout, PAGE_WORDS, wordsOf } from './layout.js';
import {
  chainOf,
  REORDER_WINDOW,
  RESPONSE_SIZE,
  RequestMessage,
  ResponseMessage,
  reorderWindowOf,
} from './service-wire.js';

const ENTRY_CLIENT = 0;
const ENTRY_COUNT = 1;
const ENTRY_LAST_SEQ = 2;
const ENTRY_CHAIN = 3;
const ENTRY_HIGH_SEQ = 4;
const ENTRY_REPEATED = 7;
const ENTRY_WINDOW = 8;
const WINDOW_WORDS = REORDER_WINDOW / 32;

export class Service {
  readonly #words: Uint32Array;
  readonly #layout: GuestLayout;
  readonly #request = new RequestMessage();
  readonly #response = new ResponseMessage();

  /** @param memory all of guest memory; it is the only state */
  constructor(memory: Uint8Array, layout: GuestLayout) {
    this.#words = wordsOf(memory);
    this.#layout = layout;
  }

  /**
   * Handles one datagram and writes the answer to the beginning of `response` (RESPONSE_SIZE bytes).
   * @returns bytes of the answer; 0 when there is none: no request, one that was handled before, or a 65th client
   */
  handle(request: Uint8Array, start: number, length: number, response: Uint8Array): number {
    const asked = this.#request;
    if (!asked.read(request, start, length) || response.length < RESPONSE_SIZE) return 0;
    if (asked.client === 0 || asked.seq === 0) return 0;
    const index = this.#entryOf(asked.client);
    if (index < 0) return 0;
    const words = this.#words;
    const entry = this.#layout.clientPage * PAGE_WORDS + index * CLIENT_WORDS;
    if (!this.#isNew(entry, asked.seq)) {
      words[entry + ENTRY_REPEATED] = words[entry + ENTRY_REPEATED]! + 1;
      return 0;
    }
    const slotPage = this.#layout.slotFirstPage + (asked.seq % this.#layout.slotPages);
    const slot = slotPage * PAGE_WORDS + index * CLIENT_WORDS;
    const answer = this.#response;
    answer.client = asked.client;
    answer.seq = asked.seq;
    answer.sentAtNs = asked.sentAtNs;
    answer.prevSeq = words[entry + ENTRY_LAST_SEQ]!;
    answer.count = (words[entry + ENTRY_COUNT]! + 1) >>> 0;
    answer.chain = chainOf(words[entry + ENTRY_CHAIN]!, asked.seq);
    answer.slotPrev = words[slot]!;
    words[entry + ENTRY_COUNT] = answer.count;
    words[entry + ENTRY_LAST_SEQ] = asked.seq;
    words[entry + ENTRY_CHAIN] = answer.chain;
    words[slot] = asked.seq;
    answer.write(response, 0);
    return RESPONSE_SIZE;
  }

  /** The index of the client's entry, taken when it has none yet; -1 when the table is full. */
  #entryOf(client: number): number {
    const words = this.#words;
    const table = this.#layout.clientPage * PAGE_WORDS;
    for (let probe = 0; probe < CLIENTS; probe++) {
      const index = (client + probe) % CLIENTS;
      const at = table + index * CLIENT_WORDS + ENTRY_CLIENT;
      if (words[at] === client) return index;
      if (words[at] === 0) {
        words[at] = client;
        return index;
      }
    }
    return -1;
  }

  /** Whether `seq` was not handled yet, and marks it handled. Bit k of the window stands for `highest - k`. */
  #isNew(entry: number, seq: number): boolean {
    const words = this.#words;
    const window = entry + ENTRY_WINDOW;
    const ahead = seq - words[entry + ENTRY_HIGH_SEQ]!;
    if (ahead > 0) {
      words[entry + ENTRY_HIGH_SEQ] = seq;
      this.#shift(window, ahead);
      words[window] = words[window]! | 1;
      return true;
    }
    const behind = -ahead;
    if (behind >= reorderWindowOf(this.#layout.slotPages)) return false;
    const word = window + (behind >>> 5);
    const bit = 1 << (behind & 31);
    if ((words[word]! & bit) !== 0) return false;
    words[word] = words[word]! | bit;
    return true;
  }

  /** Moves every bit of a window up by `ahead`; those above its end are forgotten. */
  #shift(window: number, ahead: number): void {
    const words = this.#words;
    const whole = ahead >>> 5;
    const bits = ahead & 31;
    for (let i = WINDOW_WORDS - 1; i >= 0; i--) {
      const from = i - whole;
      const low = from >= 0 ? words[window + from]! << bits : 0;
      const high = bits > 0 && from >= 1 ? words[window + from - 1]! >>> (32 - bits) : 0;
      words[window + i] = low | high;
    }
  }
}
