/**
 * One TLS 1.3 handshake with a pre-shared key, by node:tls, over bytes that somebody else carries.
 *
 *   take(bytes of the peer) ─► node:tls ─► give(): bytes for the peer
 *                                  └─────► secret (RFC 8446, 7.5), then TLS has done its part
 *
 * The key authenticates both sides; X25519 beside it (psk_dhe_ke) makes every session's keys fresh, so that a run key
 * taken later opens nothing recorded earlier. node:tls offers external keys with SHA-256 suites only, and needs turns
 * of the thread's event loop: the handshake is made before a migration begins, never in a pause.
 *
 * No certificate is ever accepted: a server that shows one in place of the key is refused.
 */
import { Duplex } from 'node:stream';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { messageOf } from '../../core/index.js';
import { SECRET_BYTES } from '../index.js';

const SUITES = 'TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256';
const TLS = { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3', ciphers: SUITES, ca: [] as string[] } as const;
/** RFC 5705, 4: labels that are not registered begin so. */
const EXPORTER_LABEL = 'EXPERIMENTAL longhaul session';

/** TLS's side is the Duplex; ours are `arrived` and `departing`. */
class Pipe extends Duplex {
  departing: Buffer[] = [];

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.departing.push(chunk);
    done();
  }

  arrived(bytes: Uint8Array): void {
    // A copy: the receive buffer is used again before TLS has read it.
    this.push(Buffer.from(bytes));
  }
}

export interface HandshakeOptions {
  readonly side: 'opener' | 'acceptor';
  /** Names the key; goes over the wire in clear. */
  readonly identity: string;
  readonly psk: Uint8Array;
  /** Bound into the secret: both sides must name the same. */
  readonly context: Uint8Array;
}

export class TlsHandshake {
  readonly #pipe = new Pipe();
  #socket: TLSSocket | null = null;
  #closed = false;
  /** The session's secret; null until both sides have proven that they hold the key. */
  secret: Uint8Array | null = null;
  /** Why it failed, or null. */
  failure: string | null = null;

  constructor(options: HandshakeOptions) {
    const { side, identity, context } = options;
    const psk = Buffer.from(options.psk);
    const fail = (e: unknown): void => {
      if (!this.#closed) this.failure ??= messageOf(e);
    };
    const agreed = (socket: TLSSocket): void => {
      // The last flight leaves behind this event: the secret shows one turn later, when all of it has been given.
      setImmediate(() => {
        if (this.#closed || this.failure !== null) return;
        // With an external key the session counts as resumed; a session by certificate does not, and is not ours.
        if (!socket.isSessionReused())
          return fail(new Error('the peer showed a certificate, not the run key'));
        this.secret = socket.exportKeyingMaterial(SECRET_BYTES, EXPORTER_LABEL, Buffer.from(context));
      });
    };
    if (side === 'opener') {
      const socket = connect({
        ...TLS,
        socket: this.#pipe,
        pskCallback: () => ({ identity, psk }),
        checkServerIdentity: () => new Error('the peer showed a certificate, not the run key'),
      });
      this.#socket = socket;
      socket.on('error', fail);
      socket.on('secureConnect', () => agreed(socket));
      return;
    }
    const server = createServer({
      ...TLS,
      pskCallback: (_socket, name) => (name === identity ? psk : null),
    });
    server.on('tlsClientError', fail);
    server.on('secureConnection', (socket) => {
      this.#socket = socket;
      socket.on('error', fail);
      agreed(socket);
    });
    // Any Duplex may be given to a TLS server so: node:tls, event 'connection'.
    server.emit('connection', this.#pipe);
  }

  /** Takes bytes of the peer; they are copied. */
  take(bytes: Uint8Array): void {
    if (!this.#closed) this.#pipe.arrived(bytes);
  }

  /** The next bytes for the peer, or null. */
  give(): Uint8Array | null {
    return this.#pipe.departing.shift() ?? null;
  }

  /** Ends TLS, whatever its state. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#pipe.on('error', () => {});
    this.#socket?.destroy();
    this.#pipe.destroy();
  }
}
