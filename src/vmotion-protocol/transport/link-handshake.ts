/**
 * A TLS handshake on its link: the greeting goes first, TLS bytes travel in HANDSHAKE records, and what has come
 * behind the last of them is kept for the link that follows.
 */
import {
  RECORD_HANDSHAKE,
  RECORD_HEADER_BYTES,
  RECORD_SEALED,
  SECURE_REFUSALS,
  type SecureErrorCode,
  secureKind,
  secureRecordBytes,
  writeSecureHeader,
} from '../index.js';
import { Chain, newRegion } from './chain.js';
import { type HandshakeOptions, TlsHandshake } from './secure-handshake.js';
import type { SecureLink } from './secure-link.js';

/** With a pre-shared key a side sends under 700 bytes; a certificate chain, which we refuse, would be longer. */
export const HANDSHAKE_BYTES_MAX = 16_384;

export type HandshakeState = 'running' | 'agreed' | { readonly code: SecureErrorCode; readonly text: string };

export class LinkHandshake {
  readonly link: SecureLink;
  readonly side: HandshakeOptions['side'];
  readonly nonce: Uint8Array;
  readonly #tls: TlsHandshake;
  readonly #out: Chain;
  /** When it was first served: a link may be made before the driver has looked at its clock. */
  #sinceNs = -1;
  readonly #in = newRegion(HANDSHAKE_BYTES_MAX);
  readonly #view = new DataView(this.#in.bytes.buffer);
  readonly #arriving = new Chain();
  #end = 0;
  #taken = 0;

  /** @param greeting what goes before the handshake; empty at the acceptor */
  constructor(link: SecureLink, tls: HandshakeOptions, greeting: Chain) {
    this.link = link;
    this.side = tls.side;
    this.nonce = tls.context;
    this.#tls = new TlsHandshake(tls);
    this.#out = greeting;
  }

  get secret(): Uint8Array | null {
    return this.#tls.secret;
  }

  /** What has come behind the handshake. */
  get early(): Uint8Array {
    return this.#in.bytes.subarray(0, this.#end);
  }

  /** Bytes of handshake that the peer may still send. */
  get bytesLeft(): number {
    return HANDSHAKE_BYTES_MAX - this.#taken;
  }

  /** Carries bytes both ways. */
  service(nowNs: number, limitNs: number): HandshakeState {
    if (this.#sinceNs < 0) this.#sinceNs = nowNs;
    const trouble = this.#receive();
    if (trouble !== null) return trouble;
    if (this.#tls.failure !== null) return refusal('VMOTION_HANDSHAKE', this.#tls.failure);
    for (let bytes = this.#tls.give(); bytes !== null; bytes = this.#tls.give()) this.#queue(bytes);
    if (this.#out.bytes > 0 && !this.link.inner.send(this.#out))
      return refusal('VMOTION_HANDSHAKE', 'the link broke in the handshake');
    if (this.#tls.secret !== null && this.#out.bytes === 0) return 'agreed';
    if (nowNs - this.#sinceNs > limitNs) return refusal('VMOTION_HANDSHAKE_TIMEOUT');
    return 'running';
  }

  close(): void {
    this.#tls.close();
  }

  #queue(bytes: Uint8Array): void {
    const region = newRegion(RECORD_HEADER_BYTES + bytes.length);
    writeSecureHeader(new DataView(region.bytes.buffer), 0, RECORD_HANDSHAKE, 0, bytes.length);
    region.bytes.set(bytes, RECORD_HEADER_BYTES);
    this.#out.push(region, 0, RECORD_HEADER_BYTES + bytes.length);
  }

  #receive(): HandshakeState | null {
    let n = 0;
    if (this.#end < HANDSHAKE_BYTES_MAX) {
      this.#arriving.clear();
      this.#arriving.push(this.#in, this.#end, HANDSHAKE_BYTES_MAX - this.#end);
      n = this.link.inner.receive(this.#arriving);
      if (n > 0) this.#end += n;
    }
    let at = 0;
    let trouble: HandshakeState | null = null;
    while (trouble === null && this.#end - at >= RECORD_HEADER_BYTES) {
      if (secureKind(this.#view, at) === RECORD_SEALED) break;
      const bytes = secureRecordBytes(this.#view, at);
      if (bytes < 0) trouble = refusal('VMOTION_RECORD');
      else if (this.#taken + bytes > HANDSHAKE_BYTES_MAX) trouble = refusal('VMOTION_HANDSHAKE_BYTES');
      else if (this.#end - at < bytes) break;
      else {
        this.#tls.take(this.#in.bytes.subarray(at + RECORD_HEADER_BYTES, at + bytes));
        this.#taken += bytes;
        at += bytes;
      }
    }
    this.#in.bytes.copyWithin(0, at, this.#end);
    this.#end -= at;
    if (trouble !== null) return trouble;
    // An acceptor that sends us away says why in its last TLS alert, if it says anything.
    if (n < 0 && at === 0 && this.#tls.failure === null && this.#tls.secret === null)
      return refusal(
        'VMOTION_HANDSHAKE',
        'the peer closed the link in the handshake: it may hold another run key',
      );
    return null;
  }
}

function refusal(code: SecureErrorCode, text: string = SECURE_REFUSALS[code]): HandshakeState {
  return { code, text };
}
