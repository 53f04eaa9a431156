/**
 * A client of one QEMU's control channel: commands and their answers, events, over any byte stream (a UNIX socket).
 * What it is sent is not trusted: a line has a limit, and what is no QMP ends the channel.
 */
import type { Duplex } from 'node:stream';
import { LonghaulError } from '../core/index.js';
import { nowNs } from '../sys/index.js';
import type { QemuErrorCode } from './errors.js';
import {
  decodeQmp,
  type QmpCommand,
  type QmpCommands,
  type QmpEvent,
  type QmpMessage,
} from './qmp-messages.js';

/** Longest line that is read; QEMU's own longest answers (schemas, never asked for here) are below it. */
const MAX_LINE_BYTES = 4 * 2 ** 20;
const NEWLINE = 10;

interface Waiting {
  readonly command: string;
  resolve(value: unknown): void;
  reject(e: Error): void;
}

export class QmpClient {
  readonly #stream: Duplex;
  readonly #name: string;
  readonly #waiting = new Map<number, Waiting>();
  readonly #listeners = new Set<(event: QmpEvent) => void>();
  readonly #greeting: Promise<string>;
  #greeted: { resolve(version: string): void; reject(e: Error): void } | null = null;
  #parts: Buffer[] = [];
  #partBytes = 0;
  #nextId = 1;
  #ended: Error | null = null;

  /** @param name of this QEMU, for errors: `QEMU at site a` */
  constructor(stream: Duplex, name: string) {
    this.#stream = stream;
    this.#name = name;
    this.#greeting = new Promise((resolve, reject) => {
      this.#greeted = { resolve, reject };
    });
    this.#greeting.catch(() => {});
    stream.on('data', (bytes: Buffer) => this.#take(bytes));
    stream.on('error', () => this.#end('QEMU_DIED', 'its control channel broke'));
    stream.on('close', () => this.#end('QEMU_DIED', 'its control channel was closed'));
  }

  /** Waits for the greeting and leaves negotiation mode; afterwards commands are taken. @returns QEMU's version */
  async open(): Promise<string> {
    const version = await this.#greeting;
    await this.execute('qmp_capabilities', {});
    return version;
  }

  /**
   * @throws LonghaulError QEMU_QMP_REFUSED with QEMU's own words, QEMU_DIED when no answer can come any more
   */
  execute<C extends QmpCommand>(
    command: C,
    takes: QmpCommands[C]['takes'],
  ): Promise<QmpCommands[C]['returns']> {
    if (this.#ended !== null) return Promise.reject(this.#ended);
    const id = this.#nextId++;
    const answer = new Promise<unknown>((resolve, reject) => {
      this.#waiting.set(id, { command, resolve, reject });
    });
    this.#stream.write(`${JSON.stringify({ execute: command, arguments: takes, id })}\n`);
    return answer as Promise<QmpCommands[C]['returns']>;
  }

  /** Tells every event from here on, in order. @returns ends it */
  onEvent(listener: (event: QmpEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#stream.destroy();
  }

  #take(bytes: Buffer): void {
    const atNs = nowNs();
    let from = 0;
    for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, from)) {
      const line = Buffer.concat([...this.#parts, bytes.subarray(from, at)]).toString('utf8');
      this.#parts = [];
      this.#partBytes = 0;
      from = at + 1;
      if (line.trim() !== '') this.#hear(line, atNs);
      if (this.#ended !== null) return;
    }
    if (from === bytes.length) return;
    this.#parts.push(from === 0 ? bytes : bytes.subarray(from));
    this.#partBytes += bytes.length - from;
    if (this.#partBytes > MAX_LINE_BYTES) this.#breakOff(`a line of more than ${MAX_LINE_BYTES} bytes`);
  }

  #hear(line: string, atNs: number): void {
    const message: QmpMessage | null = decodeQmp(line, atNs);
    if (message === null) return this.#breakOff(JSON.stringify(line.slice(0, 80)));
    switch (message.kind) {
      case 'greeting':
        return this.#greeted?.resolve(message.version);
      case 'event':
        for (const listener of this.#listeners) listener(message.event);
        return;
      case 'return':
        return this.#answered(message.id)?.resolve(message.value);
      case 'error': {
        // An error without an id is about a line that QEMU could not read: the oldest command is the one.
        const waiting = this.#answered(message.id ?? this.#waiting.keys().next().value ?? 0);
        waiting?.reject(
          new LonghaulError<QemuErrorCode>(
            'QEMU_QMP_REFUSED',
            `${this.#name} refused ${waiting.command}: ${message.text}`,
            { details: { command: waiting.command, class: message.errorClass } },
          ),
        );
      }
    }
  }

  #answered(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }

  #breakOff(what: string): void {
    this.#end('QEMU_QMP_BROKEN', `said what is not QMP: ${what}`);
    this.#stream.destroy();
  }

  #end(code: QemuErrorCode, what: string): void {
    if (this.#ended !== null) return;
    this.#ended = new LonghaulError<QemuErrorCode>(code, `${this.#name}: ${what}`);
    this.#greeted?.reject(this.#ended);
    for (const w of this.#waiting.values()) w.reject(this.#ended);
    this.#waiting.clear();
    this.#parts = [];
  }
}
