/**
 * The key that a run's two hosts share. The lab makes it and sends it with their orders over the IPC channel of
 * node:child_process: never in arguments or environment, which every process of the user can read. proc(5)
 */
import { randomBytes } from 'node:crypto';
import type { RunKey } from '../vmotion-protocol/transport/index.js';

const RUN_KEY_BYTES = 32;

export function newRunKey(): RunKey {
  return new Uint8Array(randomBytes(RUN_KEY_BYTES));
}

/** How a result names what protects a run: the handshake, and the cipher of the records behind it. */
export const CIPHER_NAME = 'TLS 1.3 (PSK, X25519), AES-256-GCM';

/** What `--insecure` says on stderr and in the result's notes. */
export const INSECURE_WARNING =
  'INSECURE: --insecure turns authentication and encryption off. Guest memory crosses the link in clear, and whoever reaches port 8000 of a host can start a guest there or take one away.';
