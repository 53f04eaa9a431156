/**
 * A link whose bytes travel in sealed records over another link.
 *
 *   send:     chain ─► pieces encrypted from where they lie into the send buffer, ≤ 4 records ─► inner link
 *   receive:  inner link ─► receive buffer ─► opened in place, tag checked ─► copied to the chain
 *
 * The contract is that of every link: the chain forgets what went. Bytes are dropped from it only when the records
 * that carry them have gone whole, so nothing is ever left inside that nobody would ask to be sent again. What
 * arrives is copied once more, after its tag was found right: guest memory never holds what nobody vouches for.
 */
import {
  DatagramOpener,
  DatagramSealer,
  type KeyLimits,
  RECORD_BODY_MAX,
  RECORD_HANDSHAKE,
  RECORD_HEADER_BYTES,
  type RecordSuite,
  SEALED_RECORD_MAX,
  type SecureErrorCode,
  StreamOpener,
  StreamSealer,
  secureKind,
  secureRecordBytes,
} from '../index.js';
import { Chain, type Region } from './chain.js';
import type { Link, LinkFigures } from './link.js';
import { BATCH_RECORDS, LINK_BUFFER_BYTES, type LinkBuffers } from './link-buffers.js';
import type { LinkSide, SecureSession } from './secure-session.js';

/** What a link needs once its session stands. */
interface Keyed {
  readonly session: SecureSession;
  readonly nonce: Uint8Array;
  readonly side: LinkSide;
  readonly sealer: StreamSealer;
  readonly opener: StreamOpener;
  readonly out: Region;
  readonly in: Region;
  readonly view: DataView;
}

export interface SecureLinkParts {
  readonly suite: RecordSuite;
  readonly limits: KeyLimits;
  readonly buffers: LinkBuffers;
  /** The link broke by what the peer sent. */
  readonly onRefused: (code: SecureErrorCode, text: string) => void;
  readonly onClosed: (link: SecureLink) => void;
}

export class SecureLink implements Link {
  readonly inner: Link;
  readonly #parts: SecureLinkParts;
  #keyed: Keyed | null = null;
  /** The handshake failed, or a record was refused: nothing more goes either way. */
  #broken = false;
  /** The inner link has ended; what came before is still handed on. */
  #over = false;
  #closed = false;
  /** Sealed bytes of the send buffer not taken by the inner link yet, and the plaintext they stand for. */
  readonly #departing = new Chain();
  #departingPlain = 0;
  /** Where the next record begins in the receive buffer, and where what has come ends. */
  #at = 0;
  #end = 0;
  readonly #arriving = new Chain();
  /** Plaintext of the open record not handed on yet. */
  #plainAt = 0;
  #plainBytes = 0;
  /** TLS bytes that may still come before the peer's first sealed record: a session ticket, which we do not use. */
  #handshakeBytesLeft = 0;
  readonly #datagramUses = new Set<number>();
  /** What the driver last said with `wantWrite`; counts from when the link is keyed. */
  wantsWrite = false;

  constructor(inner: Link, parts: SecureLinkParts) {
    this.inner = inner;
    this.#parts = parts;
  }

  get keyed(): boolean {
    return this.#keyed !== null;
  }

  /**
   * Gives the link its keys: from now on it carries bytes.
   * @param early what was read from the inner link behind the handshake @param handshakeBytesLeft see above
   */
  key(
    session: SecureSession,
    nonce: Uint8Array,
    side: LinkSide,
    early: Uint8Array,
    handshakeBytesLeft: number,
  ): void {
    const { suite, limits, buffers } = this.#parts;
    const out = buffers.take();
    const into = buffers.take();
    const other = side === 'opener' ? 'acceptor' : 'opener';
    this.#keyed = {
      session,
      nonce,
      side,
      sealer: new StreamSealer(suite, session.trafficSecret(side, nonce), out, limits),
      opener: new StreamOpener(suite, session.trafficSecret(other, nonce), into),
      out,
      in: into,
      view: new DataView(into.bytes.buffer),
    };
    into.bytes.set(early);
    this.#end = early.length;
    this.#handshakeBytesLeft = handshakeBytesLeft;
    session.hold();
    if (this.inner.sealDatagrams)
      this.inner.sealDatagrams({
        ...this.datagramRecords(0),
        sealsFirst: side === 'acceptor',
        onForged: () =>
          this.#parts.onRefused('VMOTION_RECORD_FORGED', 'a datagram is not authentic, or in clear'),
      });
  }

  /** The link is of no more use: `receive` will say so. */
  break(): void {
    this.#broken = true;
    if (this.#keyed) this.#keyed.session.stale = true;
  }

  /**
   * Seals and opens the datagrams of a connection that belongs to this link, under keys of their own.
   * @param connection each number once: the packet numbers of a second connection would repeat the first one's nonces
   */
  datagramRecords(connection: number): { readonly sealer: DatagramSealer; readonly opener: DatagramOpener } {
    const keyed = this.#keyed;
    if (keyed === null || this.#datagramUses.has(connection))
      throw new RangeError(`datagram connection ${connection} of this link has keys, or the link has none`);
    this.#datagramUses.add(connection);
    const { session, nonce, side } = keyed;
    const { suite, limits } = this.#parts;
    const secretOf = (s: LinkSide): Uint8Array => session.trafficSecret(s, nonce, ` datagrams ${connection}`);
    return {
      sealer: new DatagramSealer(suite, secretOf(side), limits),
      opener: new DatagramOpener(suite, secretOf(side === 'opener' ? 'acceptor' : 'opener')),
    };
  }

  send(chain: Chain): boolean {
    if (this.#broken || this.#closed || this.#keyed?.session.tampered) return false;
    const keyed = this.#keyed;
    if (keyed === null) return true;
    for (;;) {
      if (this.#departing.bytes > 0) {
        if (!this.inner.send(this.#departing)) {
          keyed.session.stale = true;
          return false;
        }
        if (this.#departing.bytes > 0) return true;
        chain.drop(this.#departingPlain);
        this.#departingPlain = 0;
      }
      if (chain.bytes === 0) return true;
      this.#seal(keyed, chain);
    }
  }

  /** Encrypts up to a batch of records of the chain's first bytes, which stay in the chain. */
  #seal({ sealer, out }: Keyed, chain: Chain): void {
    let left = chain.bytes;
    let piece = 0;
    let pieceAt = 0;
    let end = 0;
    for (let records = 0; records < BATCH_RECORDS && left > 0; records++) {
      const length = Math.min(left, RECORD_BODY_MAX);
      sealer.begin(end, length);
      for (let open = length; open > 0; ) {
        const n = Math.min(open, chain.length(piece) - pieceAt);
        sealer.add(chain.region(piece), chain.offset(piece) + pieceAt, n);
        open -= n;
        pieceAt += n;
        if (pieceAt === chain.length(piece)) {
          piece++;
          pieceAt = 0;
        }
      }
      end = sealer.end();
      left -= length;
      this.#departingPlain += length;
    }
    this.#departing.push(out, 0, end);
  }

  /** Sealed they are more than in clear, and what has come of them is in the receive buffer. */
  expect(bytes: number): void {
    const here = this.#plainBytes + this.#end - this.#at;
    this.inner.expect?.(Math.max(1, bytes - here));
  }

  keepShallow(): void {
    this.inner.keepShallow?.();
  }

  limitRate(rateBps: number): void {
    this.inner.limitRate?.(rateBps);
  }

  /** The inner link's; null where it keeps none. */
  figures(): LinkFigures | null {
    return this.inner.figures?.() ?? null;
  }

  drained(): boolean {
    return this.#departing.bytes === 0 && (this.inner.drained?.() ?? false);
  }

  receive(chain: Chain): number {
    const keyed = this.#keyed;
    let moved = 0;
    while (keyed !== null && !this.#closed && chain.bytes > 0) {
      if (this.#plainBytes === 0 && !this.#nextRecord(keyed)) break;
      const n = Math.min(this.#plainBytes, chain.length(0));
      const from = keyed.in.bytes.subarray(this.#plainAt, this.#plainAt + n);
      chain.region(0).bytes.set(from, chain.offset(0));
      chain.drop(n);
      this.#plainAt += n;
      this.#plainBytes -= n;
      moved += n;
    }
    if (moved > 0) return moved;
    return this.#broken || this.#over || this.#closed || keyed?.session.tampered ? -1 : 0;
  }

  /** The inner link's word. */
  get refused(): boolean {
    return this.inner.refused === true;
  }

  writable(): boolean {
    return this.#keyed !== null && this.inner.writable();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.inner.close();
    if (this.#keyed !== null) {
      this.#keyed.sealer.close();
      this.#keyed.opener.close();
      this.#parts.buffers.give(this.#keyed.out);
      this.#parts.buffers.give(this.#keyed.in);
      this.#keyed.session.release();
    }
    this.#parts.onClosed(this);
  }

  /** Opens the next record as soon as all of it is here. @returns false when there is none, or never will be */
  #nextRecord(keyed: Keyed): boolean {
    while (!this.#broken) {
      const have = this.#end - this.#at;
      if (have >= RECORD_HEADER_BYTES) {
        const bytes = secureRecordBytes(keyed.view, this.#at);
        if (bytes < 0) return this.#refuse('VMOTION_RECORD', 'a record header is wrong');
        if (have >= bytes) {
          const at = this.#at;
          this.#at += bytes;
          if (secureKind(keyed.view, at) === RECORD_HANDSHAKE) {
            this.#handshakeBytesLeft -= bytes;
            if (this.#handshakeBytesLeft < 0)
              return this.#refuse('VMOTION_RECORD', 'a handshake goes on behind its end');
            continue;
          }
          const plain = keyed.opener.open(at);
          if (plain < 0)
            return this.#refuse('VMOTION_RECORD_FORGED', `record ${keyed.opener.records} is not authentic`);
          this.#handshakeBytesLeft = 0;
          this.#plainAt = at + RECORD_HEADER_BYTES;
          this.#plainBytes = plain;
          return true;
        }
      }
      if (!this.#fill(keyed)) return false;
    }
    return false;
  }

  /** Reads what has come behind what is here. @returns false when nothing has */
  #fill({ in: into, session }: Keyed): boolean {
    if (this.#at === this.#end) {
      this.#at = this.#end = 0;
    } else if (this.#at + SEALED_RECORD_MAX > LINK_BUFFER_BYTES) {
      into.bytes.copyWithin(0, this.#at, this.#end);
      this.#end -= this.#at;
      this.#at = 0;
    }
    this.#arriving.clear();
    this.#arriving.push(into, this.#end, LINK_BUFFER_BYTES - this.#end);
    const n = this.inner.receive(this.#arriving);
    if (n < 0) {
      this.#over = true;
      session.stale = true;
    }
    if (n <= 0) return false;
    this.#end += n;
    return true;
  }

  #refuse(code: SecureErrorCode, text: string): boolean {
    this.break();
    this.#keyed!.session.tampered = true;
    this.#parts.onRefused(code, text);
    return false;
  }
}
