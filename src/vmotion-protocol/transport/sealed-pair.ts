/**
 * Both ends of a link sealed within one thread, without a handshake: nobody stands between them, so the secret needs no
 * agreement. A host rehearses so what its sealed links will do in a pause.
 */
import { randomBytes } from 'node:crypto';
import { KEY_LIMITS, NONCE_BYTES, type RecordSuite, SECRET_BYTES } from '../index.js';
import type { Link } from './link.js';
import type { LinkBuffers } from './link-buffers.js';
import { SecureLink, type SecureLinkParts } from './secure-link.js';
import { SecureSession } from './secure-session.js';

const NOTHING = new Uint8Array(0);

/** @param buffers of whoever makes many such pairs @param near and far the two ends of one link, the sealed ones' from now on */
export function sealPair(
  suite: RecordSuite,
  buffers: LinkBuffers,
  near: Link,
  far: Link,
): { readonly near: SecureLink; readonly far: SecureLink } {
  const parts: SecureLinkParts = {
    suite,
    limits: KEY_LIMITS,
    buffers,
    onRefused: () => {},
    onClosed: () => {},
  };
  const session = new SecureSession(suite, new Uint8Array(randomBytes(SECRET_BYTES)), () => {});
  const nonce = randomBytes(NONCE_BYTES);
  const sealed = { near: new SecureLink(near, parts), far: new SecureLink(far, parts) };
  sealed.near.key(session, nonce, 'opener', NOTHING, 0);
  sealed.far.key(session, nonce, 'acceptor', NOTHING, 0);
  return sealed;
}
