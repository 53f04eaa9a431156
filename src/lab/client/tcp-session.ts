/**
 * A TCP connection of the kernel's to a service of the guest, held for as long as the client lives. One that breaks is
 * counted and opened anew: the sessions of the next move are judged too.
 */
import { connect, type Socket } from 'node:net';
import { nowNs } from '../../sys/index.js';

const REOPEN_MS = 200;

export interface StreamBook {
  receive(nowNs: number, data: Uint8Array): void;
  broken(): void;
}

export class TcpSession {
  readonly #host: string;
  readonly #port: number;
  readonly #book: StreamBook;
  #socket: Socket | null = null;
  #open = false;
  #wasOpen = false;
  #ended = false;
  #timer: NodeJS.Timeout | null = null;

  constructor(host: string, port: number, book: StreamBook) {
    this.#host = host;
    this.#port = port;
    this.#book = book;
    this.#connect();
  }

  /** Whether bytes can be sent now. */
  get isOpen(): boolean {
    return this.#open;
  }

  send(bytes: Uint8Array): void {
    this.#socket?.write(bytes);
  }

  close(): void {
    this.#ended = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#socket?.destroy();
  }

  #connect(): void {
    const socket = connect({ host: this.#host, port: this.#port, noDelay: true });
    this.#socket = socket;
    socket.on('connect', () => {
      this.#open = this.#wasOpen = true;
    });
    socket.on('data', (data) => this.#book.receive(nowNs(), data));
    socket.on('error', () => {}); // 'close' follows, and counts
    socket.on('close', () => {
      this.#open = false;
      if (this.#ended) return;
      if (this.#wasOpen) this.#book.broken();
      this.#wasOpen = false;
      this.#timer = setTimeout(() => this.#connect(), REOPEN_MS);
    });
  }
}
