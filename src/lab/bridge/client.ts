/** The client's side of a bridge's control socket. The words are in `bridge-protocol.ts`. */
import { connect, type Socket } from 'node:net';
import { createInterface, type Interface } from 'node:readline';
import { ConfigError, LonghaulError } from '../../core/index.js';
import {
  ANSWER,
  CONTROL_PROTOCOL,
  type ControlCall,
  type ControlErrorCode,
  GREETING,
  type Greeting,
} from './protocol.js';

/** A bridge answers at once; one that does not within this is stuck, or none. Ending a recording takes it ten seconds at most. */
const LIMIT_MS = 15_000;

export class ControlClient {
  readonly greeting: Greeting;
  readonly #socket: Socket;
  readonly #lines: AsyncIterator<string>;
  readonly #limitMs: number;
  #nextId = 1;

  private constructor(greeting: Greeting, socket: Socket, lines: AsyncIterator<string>, limitMs: number) {
    this.greeting = greeting;
    this.#socket = socket;
    this.#lines = lines;
    this.#limitMs = limitMs;
  }

  /**
   * @param limitMs how long an answer is waited for
   * @throws the socket's error where nobody listens; LonghaulError LAB_CONTROL_PEER
   */
  static async open(path: string, limitMs = LIMIT_MS): Promise<ControlClient> {
    const socket = connect(path);
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once('connect', resolve);
        socket.once('error', reject);
      });
      socket.on('error', () => {}); // shows as the end of the lines
      socket.setTimeout(limitMs, () => socket.destroy());
      const reader: Interface = createInterface({ input: socket, crlfDelay: Number.POSITIVE_INFINITY });
      const lines = reader[Symbol.asyncIterator]();
      const first = await nextObject(lines);
      socket.setTimeout(0); // between two questions there may be hours
      const greeting = GREETING.safeParse(first);
      if (!greeting.success) {
        const answer = ANSWER.safeParse(first);
        if (answer.success && !answer.data.ok) throw refusalOf(answer.data.error);
      }
      if (greeting.data?.protocol !== CONTROL_PROTOCOL) {
        throw strange(`${path} speaks ${greeting.data?.protocol ?? 'no control protocol of longhaul'}`);
      }
      return new ControlClient(greeting.data, socket, lines, limitMs);
    } catch (e) {
      socket.destroy();
      throw e;
    }
  }

  /**
   * Asks, and waits for the answer.
   * @returns the answer's `result`
   * @throws ConfigError with the bridge's own code and words when it refuses; LonghaulError LAB_CONTROL_PEER
   */
  async ask(call: ControlCall): Promise<unknown> {
    const id = this.#nextId++;
    this.#socket.setTimeout(this.#limitMs);
    this.#socket.write(`${JSON.stringify({ ...call, id })}\n`);
    const answer = ANSWER.safeParse(await nextObject(this.#lines));
    this.#socket.setTimeout(0);
    if (!answer.success || answer.data.id !== id) throw strange('the answer is none to what was asked');
    if (!answer.data.ok) throw refusalOf(answer.data.error);
    return answer.data.result;
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** Who listens at a path; null when nobody does. */
export async function askGreeting(path: string): Promise<Greeting | null> {
  try {
    const client = await ControlClient.open(path);
    client.close();
    return client.greeting;
  } catch {
    return null;
  }
}

async function nextObject(lines: AsyncIterator<string>): Promise<unknown> {
  const { done, value } = await lines.next();
  if (done) throw strange('the bridge ended the connection');
  try {
    return JSON.parse(value);
  } catch {
    throw strange('the answer is not JSON');
  }
}

function refusalOf(error: { code: string; message: string; hint?: string | undefined }): ConfigError {
  return new ConfigError(error.code, error.message, error.hint === undefined ? {} : { hint: error.hint });
}

function strange(text: string): LonghaulError {
  return new LonghaulError<ControlErrorCode>('LAB_CONTROL_PEER', text, {
    hint: 'use the longhaul that runs the bridge, and see whether that still runs',
  });
}
