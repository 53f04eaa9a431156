/**
 * What two hosts share once a TLS handshake has authenticated them: a secret from which every link of theirs gets
 * keys of its own, with a fresh nonce, without a round trip.
 */
import { expandLabel, NonceMemory, type RecordSuite, SESSION_NAME_BYTES, type SiteName } from '../index.js';

/** The key that the lab makes for a run and gives both hosts over their IPC channels. 32 random bytes. */
export type RunKey = Uint8Array;

/** Which of a link's two ends seals. */
export type LinkSide = 'opener' | 'acceptor';

const utf8 = new TextEncoder();

/**
 * Keys of the direction in which links are opened. One run key, but two directions: a host never accepts what it
 * could have sent itself, so reflecting its own handshake to it fails (RFC 9257, 6.1).
 */
export function runSecrets(
  suite: RecordSuite,
  runKey: RunKey,
  from: SiteName,
): { readonly identity: string; readonly psk: Uint8Array; readonly knockKey: Uint8Array } {
  const direction = utf8.encode(from === 'a' ? 'a to b' : 'b to a');
  const name = expandLabel(suite, runKey, 'identity', direction, SESSION_NAME_BYTES);
  return {
    identity: Buffer.from(name).toString('hex'),
    psk: expandLabel(suite, runKey, 'psk', direction),
    knockKey: expandLabel(suite, runKey, 'knock', direction),
  };
}

/** Lives as long as one of its links does; then its secret is wiped. */
export class SecureSession {
  /** Public name, 16 bytes. */
  readonly name: Uint8Array;
  readonly joinKey: Uint8Array;
  /** Of the links that joined: none of them opens a second one. */
  readonly nonces = new NonceMemory('refuse');
  readonly #suite: RecordSuite;
  readonly #secret: Uint8Array;
  readonly #onEnded: () => void;
  #links = 0;
  /** No more links may join: one of them broke, and the peer may have forgotten the session. */
  stale = false;

  /** @param secret from the handshake; the session's from now on */
  constructor(suite: RecordSuite, secret: Uint8Array, onEnded: () => void) {
    this.#suite = suite;
    this.#secret = secret;
    this.#onEnded = onEnded;
    this.name = expandLabel(suite, secret, 'name', undefined, SESSION_NAME_BYTES);
    this.joinKey = expandLabel(suite, secret, 'join');
  }

  /** Traffic secret of what `side` sends on the link of this nonce. @param use tells streams and datagrams apart */
  trafficSecret(side: LinkSide, nonce: Uint8Array, use = ''): Uint8Array {
    return expandLabel(this.#suite, this.#secret, `${side}${use}`, nonce);
  }

  hold(): void {
    this.#links++;
  }

  release(): void {
    this.stale = true;
    if (--this.#links > 0) return;
    this.#secret.fill(0);
    this.joinKey.fill(0);
    this.#onEnded();
  }
}
