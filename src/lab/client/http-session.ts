/**
 * A client's downloads from the guest: one after the other over HTTP, each compared with the checksum that lies beside
 * the file. A download that spans a move is the point.
 */
import { createHash } from 'node:crypto';
import { get, type IncomingMessage } from 'node:http';
import { SessionBook, type SessionSnapshot } from '../../guest/index.js';
import { nowNs } from '../../sys/index.js';

const AGAIN_MS = 200;
/** A download in which nothing comes for so long is given up. */
const SILENT_MS = 30_000;

/** Each download is a request; its round trip is the time that it took, its gaps are those between its pieces. */
export class DownloadLedger extends SessionBook {
  #lastPieceNs = Number.NaN;
  #gapNs = 0;
  #gapStartNs = 0;

  /** A piece of a download has come. */
  received(atNs: number): void {
    const gapNs = atNs - this.#lastPieceNs;
    if (gapNs > this.#gapNs) {
      this.#gapNs = gapNs;
      this.#gapStartNs = this.#lastPieceNs;
    }
    this.#lastPieceNs = atNs;
  }

  override stats(): SessionSnapshot {
    return { ...super.stats(), longestGapNs: this.#gapNs, longestGapStartNs: this.#gapStartNs };
  }

  override reset(): void {
    super.reset();
    this.#lastPieceNs = Number.NaN;
    this.#gapNs = 0;
    this.#gapStartNs = 0;
  }

  finished(atNs: number, tookNs: number, right: boolean): void {
    this.countSent();
    this.countAnswer(atNs, tookNs, false);
    if (!right) this.countWrong('the checksum of a download differs');
  }

  broken(): void {
    this.countReset();
  }
}

export class HttpSession {
  readonly #host: string;
  readonly #port: number;
  readonly #book: DownloadLedger;
  #ended = false;
  #timer: NodeJS.Timeout | null = null;

  constructor(host: string, book: DownloadLedger, port = 80) {
    this.#host = host;
    this.#port = port;
    this.#book = book;
    void this.#run();
  }

  close(): void {
    this.#ended = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  async #run(): Promise<void> {
    while (!this.#ended) {
      const startNs = nowNs();
      try {
        const [expected] = (await this.#fetch('/data.sha256', (text) => text.toString('latin1'))).split(' ');
        const sum = createHash('sha256');
        await this.#fetch(
          '/data',
          () => '',
          (bytes) => {
            this.#book.received(nowNs());
            sum.update(bytes);
          },
        );
        const endNs = nowNs();
        this.#book.finished(endNs, endNs - startNs, sum.digest('hex') === expected);
      } catch {
        if (!this.#ended) this.#book.broken();
        await new Promise<void>((resolve) => {
          this.#timer = setTimeout(resolve, AGAIN_MS);
        });
      }
    }
  }

  #fetch(
    path: string,
    whole: (bytes: Buffer) => string,
    piece?: (bytes: Buffer) => unknown,
  ): Promise<string> {
    return new Promise((resolve, reject) => {
      const take = (response: IncomingMessage): void => {
        if (response.statusCode !== 200) return void reject(new Error(`status ${response.statusCode}`));
        const pieces: Buffer[] = [];
        response.on('data', (bytes: Buffer) => {
          if (piece === undefined) pieces.push(bytes);
          else piece(bytes);
        });
        response.on('end', () => resolve(whole(Buffer.concat(pieces))));
        response.on('error', reject);
      };
      const request = get(
        { host: this.#host, port: this.#port, path, agent: false, timeout: SILENT_MS },
        take,
      );
      request.on('timeout', () => request.destroy(new Error('nothing came')));
      request.on('error', reject);
    });
  }
}
