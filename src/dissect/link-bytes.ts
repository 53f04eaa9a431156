/**
 * One link of a migration, read from the bytes of its two directions. SPEC.md, "Links".
 *
 *   source ─►  │ preamble │ control messages, page records or nothing     │
 *   source ─►  │ greeting LHVS │ handshake and sealed records             │   sealed: named and counted, not read
 *   destination ─► control messages, requests for pages
 *
 * What cannot be read is said once, with the offset where it stands, and the rest of that direction is only counted.
 */
import { PAGE_SIZE } from '../core/index.js';
import {
  DESCRIPTOR_BYTES,
  decodeGreeting,
  descriptorEncoding,
  descriptorLength,
  ENCODINGS,
  GREETING_BYTES,
  HEADER_BYTES,
  type Message,
  MessageReader,
  PageStreamReader,
  RECORD_HEADER_BYTES,
  RECORD_SEALED,
  secureKind,
  secureRecordBytes,
} from '../vmotion-protocol/index.js';
import { decodePreamble, PREAMBLE_BYTES, type Preamble } from '../vmotion-protocol/transport/index.js';

export type Sender = 'source' | 'destination';

/** How a page travels. SPEC.md, "Encoded pages" */
export type PageWay = (typeof ENCODINGS)[number];

/** What a link tells as it is read. */
export interface LinkEvents {
  opened(preamble: Preamble): void;
  message(from: Sender, message: Message): void;
  /** So many pages came in one way. @param bytes theirs, without the record's headers */
  pages(way: PageWay, round: number, pages: number, bytes: number): void;
  /** The round's end on this stream. */
  ended(round: number): void;
  /** The destination asks for a page. */
  demand(): void;
  sealed(from: Sender, kind: 'greeting' | 'handshake' | 'record', bytes: number): void;
  unreadable(from: Sender, text: string): void;
}

/** No guest has more pages: what the offer says is not needed to read records. */
const PAGES_MAX = 1 << 22;
const DEMAND_BYTES = 4;
const MAGIC_SECURE = 0x4c485653;

export class LinkBytes {
  readonly #events: LinkEvents;
  readonly #source: Reading;
  readonly #destination: Reading;
  #preamble: Preamble | null = null;
  #sealed = false;

  constructor(events: LinkEvents) {
    this.#events = events;
    this.#source = new Opening(this, 'source');
    this.#destination = new Opening(this, 'destination');
  }

  /** Bytes of one direction, in order. */
  put(from: Sender, bytes: Uint8Array): void {
    (from === 'source' ? this.#source : this.#destination).put(bytes);
  }

  /** @internal the first bytes of the link said what it is */
  opened(preamble: Preamble): void {
    this.#preamble = preamble;
    this.#events.opened(preamble);
  }

  /** @internal */
  sealedOpened(): void {
    this.#sealed = true;
    this.#events.sealed('source', 'greeting', GREETING_BYTES);
  }

  /** @internal what follows on this direction; null until the link is known */
  readingOf(from: Sender): Reading | null {
    if (this.#sealed) return new Sealed(this.#events, from);
    if (this.#preamble === null) return null;
    switch (this.#preamble.kind) {
      case 'control':
        return new Messages(this.#events, from);
      case 'pages':
        return from === 'source' ? new PageRecords(this.#events) : new Silent();
      case 'demand':
        return from === 'source' ? new PageRecords(this.#events) : new Demands(this.#events);
    }
  }

  /** @internal */
  unreadable(from: Sender, text: string): void {
    this.#events.unreadable(from, text);
  }
}

interface Reading {
  put(bytes: Uint8Array): void;
}

/** Gathers until it is known what the link is. */
class Opening implements Reading {
  readonly #link: LinkBytes;
  readonly #from: Sender;
  #held = new Uint8Array(0);
  #then: Reading | null = null;

  constructor(link: LinkBytes, from: Sender) {
    this.#link = link;
    this.#from = from;
  }

  put(bytes: Uint8Array): void {
    if (this.#then !== null) {
      this.#then.put(bytes);
      return;
    }
    const all = new Uint8Array(this.#held.length + bytes.length);
    all.set(this.#held);
    all.set(bytes, this.#held.length);
    this.#held = all;
    const skipped = this.#from === 'source' ? this.#open() : 0;
    if (skipped < 0) return;
    this.#then = this.#link.readingOf(this.#from);
    if (this.#then === null) return;
    this.#held = new Uint8Array(0);
    if (all.length > skipped) this.#then.put(all.subarray(skipped));
  }

  /** @returns bytes of the link's opening; -1 while it is not whole */
  #open(): number {
    if (this.#held.length < 4) return -1;
    const magic = new DataView(this.#held.buffer).getUint32(0);
    if (magic === MAGIC_SECURE) {
      if (this.#held.length < GREETING_BYTES) return -1;
      if (decodeGreeting(this.#held) === null) return this.#foreign();
      this.#link.sealedOpened();
      return GREETING_BYTES;
    }
    if (this.#held.length < PREAMBLE_BYTES) return -1;
    const preamble = decodePreamble(this.#held);
    if (preamble === null) return this.#foreign();
    this.#link.opened(preamble);
    return PREAMBLE_BYTES;
  }

  #foreign(): number {
    this.#link.unreadable(this.#from, 'begins with neither a preamble nor a greeting of this protocol');
    this.#then = new Silent();
    this.#held = new Uint8Array(0);
    return -1;
  }
}

class Silent implements Reading {
  put(): void {}
}

class Messages implements Reading {
  readonly #reader = new MessageReader();
  readonly #events: LinkEvents;
  readonly #from: Sender;

  constructor(events: LinkEvents, from: Sender) {
    this.#events = events;
    this.#from = from;
  }

  put(bytes: Uint8Array): void {
    if (this.#reader.broken) return;
    this.#reader.push(bytes);
    for (let next = this.#reader.next(); next !== null; next = this.#reader.next()) {
      if (next.ok) this.#events.message(this.#from, next.message);
      else this.#events.unreadable(this.#from, `${next.code}: ${next.text}`);
    }
  }
}

/** Page records, without a guest to put them into: payload is passed over. */
class PageRecords implements Reading {
  readonly #events: LinkEvents;
  /** The first record's header: a demand link begins with the round that is served then, and not with the first. */
  readonly #first = new Uint8Array(HEADER_BYTES);
  #have = 0;
  #reader: PageStreamReader | null = null;
  readonly #ways = ENCODINGS.map(() => ({ pages: 0, bytes: 0 }));

  constructor(events: LinkEvents) {
    this.#events = events;
  }

  put(bytes: Uint8Array): void {
    if (this.#reader !== null) {
      this.#read(this.#reader, bytes);
      return;
    }
    const n = Math.min(HEADER_BYTES - this.#have, bytes.length);
    this.#first.set(bytes.subarray(0, n), this.#have);
    this.#have += n;
    if (this.#have < HEADER_BYTES) return;
    const round = new DataView(this.#first.buffer).getUint32(ROUND_AT, true);
    this.#reader = new PageStreamReader(PAGES_MAX, round);
    this.#read(this.#reader, this.#first);
    this.#read(this.#reader, bytes.subarray(n));
  }

  #read(reader: PageStreamReader, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const n = Math.min(reader.needBytes, bytes.length - at);
      if (n === 0) return;
      if (reader.phase === 'staging') reader.staging.set(bytes.subarray(at, at + n), reader.stagingOffset);
      at += n;
      const event = reader.taken(n);
      if (event === 'bad') {
        const { code, at: where, text } = reader.failure!;
        this.#events.unreadable('source', `${code} at byte ${where} of the page stream: ${text}`);
      } else if (event === 'data') {
        this.#events.pages('raw', reader.round, reader.pages, reader.pages * PAGE_SIZE);
      } else if (event === 'zero') {
        this.#events.pages('zero', reader.round, reader.pages, 0);
      } else if (event === 'encoded-done') {
        this.#encoded(reader);
      } else if (event === 'end') {
        this.#events.ended(reader.round);
      }
    }
  }

  #encoded(reader: PageStreamReader): void {
    const view = new DataView(reader.staging.buffer);
    for (const way of this.#ways) way.pages = way.bytes = 0;
    for (let i = 0; i < reader.pages; i++) {
      const at = reader.descriptorsAt + i * DESCRIPTOR_BYTES;
      const way = this.#ways[descriptorEncoding(view, at)]!;
      way.pages++;
      way.bytes += descriptorLength(view, at);
    }
    for (const [i, { pages, bytes }] of this.#ways.entries()) {
      if (pages > 0) this.#events.pages(ENCODINGS[i]!, reader.round, pages, bytes);
    }
  }
}

/** Of a page record's header: its round. SPEC.md, "Page records". */
const ROUND_AT = 4;

class Demands implements Reading {
  readonly #events: LinkEvents;
  #bytes = 0;

  constructor(events: LinkEvents) {
    this.#events = events;
  }

  put(bytes: Uint8Array): void {
    this.#bytes += bytes.length;
    for (; this.#bytes >= DEMAND_BYTES; this.#bytes -= DEMAND_BYTES) this.#events.demand();
  }
}

/** Records behind a greeting: their headers are in the clear, what they carry is not. */
class Sealed implements Reading {
  readonly #events: LinkEvents;
  readonly #from: Sender;
  readonly #header = new Uint8Array(RECORD_HEADER_BYTES);
  readonly #view = new DataView(this.#header.buffer);
  #have = 0;
  #left = 0;
  #lost = false;

  constructor(events: LinkEvents, from: Sender) {
    this.#events = events;
    this.#from = from;
  }

  put(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length && !this.#lost) {
      if (this.#left > 0) {
        const n = Math.min(this.#left, bytes.length - at);
        this.#left -= n;
        at += n;
        continue;
      }
      this.#header[this.#have++] = bytes[at++]!;
      if (this.#have < RECORD_HEADER_BYTES) continue;
      this.#have = 0;
      const length = secureRecordBytes(this.#view, 0);
      if (length < 0) {
        this.#lost = true;
        this.#events.unreadable(this.#from, 'a record of the secured link has a header that is none');
        return;
      }
      const kind = secureKind(this.#view, 0) === RECORD_SEALED ? 'record' : 'handshake';
      this.#events.sealed(this.#from, kind, length);
      this.#left = length - RECORD_HEADER_BYTES;
    }
  }
}
