/**
 * Sealed links between two ends within one thread, without greetings and handshakes: nobody stands between them, so
 * the secret needs no agreement. A host rehearses so what its sealed links will do in a pause.
 *
 * The nth link that one end opens is the nth that the other accepts; its number takes the place of the nonce.
 */
import { randomBytes } from 'node:crypto';
import { KEY_LIMITS, NONCE_BYTES, type RecordSuite, SECRET_BYTES } from '../index.js';
import type { Link, LinkPoller } from './link.js';
import type { LinkBuffers } from './link-buffers.js';
import { SecureLink, type SecureLinkParts } from './secure-link.js';
import { type LinkSide, SecureSession } from './secure-session.js';

const NOTHING = new Uint8Array(0);

export class SharedKeyLinks implements LinkPoller {
  readonly #inner: LinkPoller;
  readonly #session: SecureSession;
  readonly #parts: SecureLinkParts;
  #opened = 0;
  #accepted = 0;

  private constructor(inner: LinkPoller, session: SecureSession, parts: SecureLinkParts) {
    this.#inner = inner;
    this.#session = session;
    this.#parts = parts;
  }

  /** @param near and far where links are opened and where they are accepted; one poller may be both */
  static pair(
    near: LinkPoller,
    far: LinkPoller,
    suite: RecordSuite,
    buffers: LinkBuffers,
  ): readonly [SharedKeyLinks, SharedKeyLinks] {
    const session = new SecureSession(suite, new Uint8Array(randomBytes(SECRET_BYTES)), () => {});
    const nothing = (): void => {};
    const parts = { suite, limits: KEY_LIMITS, buffers, onRefused: nothing, onClosed: nothing };
    return [new SharedKeyLinks(near, session, parts), new SharedKeyLinks(far, session, parts)];
  }

  connect(): Link {
    return this.#keyed(this.#inner.connect(), 'opener', this.#opened++);
  }

  accept(): Link | null {
    const link = this.#inner.accept();
    return link === null ? null : this.#keyed(link, 'acceptor', this.#accepted++);
  }

  takeIn(nowNs: number): void {
    this.#inner.takeIn(nowNs);
  }

  flush(nowNs: number): void {
    this.#inner.flush(nowNs);
  }

  nextWakeNs(): number {
    return this.#inner.nextWakeNs();
  }

  wantWrite(link: Link, want: boolean): void {
    this.#inner.wantWrite((link as SecureLink).inner, want);
  }

  close(): void {
    this.#inner.close();
  }

  #keyed(inner: Link, side: LinkSide, number: number): SecureLink {
    const nonce = new Uint8Array(NONCE_BYTES);
    new DataView(nonce.buffer).setUint32(0, number);
    const link = new SecureLink(inner, this.#parts);
    link.key(this.#session, nonce, side, NOTHING, 0);
    return link;
  }
}
