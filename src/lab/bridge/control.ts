/**
 * The control socket of a running bridge: reads requests, has them carried out, answers each in its turn.
 *
 *   connection ─► line ≤ 64 KiB ─► JSON ─► known fields ─► carried out ─► answer ─► next line
 *                    └─ too long: refused, closed   └─ refused, the connection stays
 *
 * A client cannot hurt the bridge: its lines are bounded before they are kept, the next is read only when the
 * answer to the last has left, and whatever a request throws becomes an answer. Only this user may connect: the
 * socket has mode 0600.
 * Left out on purpose: a way to stop the bridge; that is its terminal's, or a signal's.
 */
import { rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { ConfigError, isLonghaulError, LonghaulError, messageOf } from '../../core/index.js';
import { nearest } from '../config/nearest.js';
import {
  COMMANDS,
  CONTROL_PROTOCOL,
  type ControlErrorCode,
  type ControlRequest,
  MAX_REQUEST_BYTES,
  REQUEST,
} from './protocol.js';

const MAX_CLIENTS = 16;
const NEWLINE = 0x0a;
/** Not only its directory keeps others out. */
const OWNER_ONLY = 0o177;

/** Carries out a request; what it resolves to is the answer's `result`. */
export type CarryOut = (request: ControlRequest) => Promise<unknown>;

export class ControlServer {
  readonly path: string;
  readonly #server: Server;
  readonly #clients = new Set<Socket>();

  private constructor(path: string, server: Server) {
    this.path = path;
    this.#server = server;
  }

  /**
   * Listens at `path`, which must be free.
   * @throws ConfigError LAB_CONTROL_PATH where no socket can be made
   */
  static listen(path: string, name: string, carryOut: CarryOut): Promise<ControlServer> {
    const server = createServer();
    const control = new ControlServer(path, server);
    const greeting = { protocol: CONTROL_PROTOCOL, name, pid: process.pid };
    server.on('connection', (socket) => control.#serve(socket, greeting, carryOut));
    return new Promise((resolve, reject) => {
      server.once('error', (cause: NodeJS.ErrnoException) => {
        reject(
          new ConfigError('LAB_CONTROL_PATH', `control ${path}: no socket can be made here (${cause.code})`, {
            cause,
            hint: 'give the path of a file that does not exist in a directory that this user may write',
          }),
        );
      });
      const mask = process.umask(OWNER_ONLY); // bind(2) makes the file before `listen` returns
      try {
        server.listen(path, () => resolve(control));
      } finally {
        process.umask(mask);
      }
    });
  }

  /** Ends all connections and removes the socket. */
  async close(): Promise<void> {
    for (const socket of this.#clients) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
    rmSync(this.path, { force: true });
  }

  #serve(socket: Socket, greeting: object, carryOut: CarryOut): void {
    socket.on('error', () => {}); // a client that went away is no one's trouble
    const say = (message: object): boolean => socket.write(`${JSON.stringify(message)}\n`);
    if (this.#clients.size >= MAX_CLIENTS) {
      const text = `${MAX_CLIENTS} clients are connected already`;
      say(refused(undefined, 'LAB_CONTROL_BUSY', text, 'close one of them'));
      socket.end();
      return;
    }
    this.#clients.add(socket);
    socket.once('close', () => this.#clients.delete(socket));
    say(greeting);
    answerLines(socket, (line) => answerTo(line, carryOut), say).catch(() => socket.destroy());
  }
}

/** Reads line by line; the next is taken only when the answer to the last has been handed to the kernel. */
async function answerLines(
  socket: Socket,
  answer: (line: string) => Promise<object>,
  say: (message: object) => boolean,
): Promise<void> {
  let kept: Buffer = Buffer.alloc(0);
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    kept = kept.length === 0 ? chunk : Buffer.concat([kept, chunk]);
    for (let end = kept.indexOf(NEWLINE); end >= 0 && end <= MAX_REQUEST_BYTES; end = kept.indexOf(NEWLINE)) {
      const line = kept.toString('utf8', 0, end).trim();
      kept = kept.subarray(end + 1);
      if (line === '') continue;
      if (!say(await answer(line)) && !socket.destroyed) await drained(socket);
    }
    if (kept.length > MAX_REQUEST_BYTES) {
      const text = `a request is longer than ${MAX_REQUEST_BYTES} bytes`;
      say(refused(undefined, 'LAB_CONTROL_LINE', text, 'end each request with a newline'));
      socket.end();
      return;
    }
  }
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off('drain', done);
      socket.off('close', done);
      resolve();
    };
    socket.on('drain', done);
    socket.on('close', done);
  });
}

async function answerTo(line: string, carryOut: CarryOut): Promise<object> {
  let raw: unknown;
  try {
    raw = JSON.parse(line);
  } catch {
    // told below, as for all that is no object
  }
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) {
    return refused(undefined, 'LAB_CONTROL_JSON', 'a request is not a JSON object', 'send {"do":"show"}');
  }
  const { id, do: command } = raw as { id?: unknown; do?: unknown };
  if (!COMMANDS.includes(command as string)) {
    const meant = typeof command === 'string' ? nearest(command, COMMANDS) : null;
    const text = `do ${JSON.stringify(command) ?? 'is missing: it'} is not one of ${COMMANDS.join(', ')}`;
    return refused(id, 'LAB_CONTROL_COMMAND', text, meant ? `did you mean ${meant}?` : 'send one of them');
  }
  const request = REQUEST.safeParse(raw);
  if (!request.success) {
    const issue = request.error.issues[0]!;
    const field = issue.path.join('.') || 'the request';
    const text = `${command}: ${field}: ${issue.message}`;
    return refused(id, 'LAB_CONTROL_FIELD', text, 'docs/control.md has the fields of each request');
  }
  try {
    return { id, ok: true, result: await carryOut(request.data) };
  } catch (e) {
    const error = isLonghaulError(e) ? e : new LonghaulError('LAB_CONTROL_FAILED', messageOf(e));
    return refused(id, error.code, error.message, error.hint);
  }
}

function refused(
  id: unknown,
  code: ControlErrorCode | (string & {}),
  message: string,
  hint?: string,
): object {
  return { id: id ?? null, ok: false, error: { code, message, hint } };
}
