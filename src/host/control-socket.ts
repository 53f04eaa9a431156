/**
 * How `longhaul host` reaches a host's process: a UNIX socket beside its records, one request and one answer a
 * connection, each a line of JSON.
 *
 *   {"do":"status"}                                                     ─► {"ok":true,"status":{…}}
 *   {"do":"resolve","migrationId":…,"verdict":"ask|running|never","text":…} ─► {"ok":true|false,"text":…}
 *
 * The socket and its directory are the user's alone; what comes is bounded all the same.
 */
import { rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { z } from 'zod';
import { messageOf } from '../core/index.js';
import type { HostStatus } from './host-status.js';

const LINE_BYTES_MAX = 4096;
const CLIENTS_MAX = 8;
const LIMIT_MS = 10_000;
const OWNER_ONLY = 0o177;

/** `ask`: ask the peer over a new connection; the others are an operator's word or a verdict found elsewhere. */
export type DoubtVerdict = 'ask' | 'running' | 'never';

const REQUEST = z.discriminatedUnion('do', [
  z.strictObject({ do: z.literal('status') }),
  z.strictObject({
    do: z.literal('resolve'),
    migrationId: z.string().regex(/^[0-9a-f]{32}$/),
    verdict: z.enum(['ask', 'running', 'never']),
    text: z.string().max(1024),
  }),
]);
export type ControlRequest = z.infer<typeof REQUEST>;

const ANSWER = z.object({
  ok: z.boolean(),
  text: z.string().optional(),
  status: z
    .object({
      pid: z.int(),
      site: z.string(),
      guest: z.string(),
      state: z.enum(['running', 'moving', 'in-doubt', 'moved', 'standing-by']),
      migrationId: z.string().nullable(),
    })
    .optional(),
});
export type ControlAnswer = z.infer<typeof ANSWER>;

export interface ControlHandlers {
  status(): HostStatus;
  /** Settles a doubt; resolves when it is settled, or with `ok: false` and why not. */
  resolve(migrationId: string, verdict: DoubtVerdict, text: string): Promise<{ ok: boolean; text: string }>;
}

/** Serves until the server is closed. The socket's path must have at most 107 bytes. */
export function serveControl(path: string, handlers: ControlHandlers): Server {
  let clients = 0;
  const server = createServer((socket) => {
    if (++clients > CLIENTS_MAX) socket.destroy();
    socket.on('close', () => clients--);
    readLine(socket)
      .then((line) => answerTo(line, handlers))
      .catch((e) => ({ ok: false, text: messageOf(e) }))
      .then((answer) => socket.end(`${JSON.stringify(answer)}\n`));
  });
  rmSync(path, { force: true }); // of a host that was killed: two never share a store
  const mask = process.umask(OWNER_ONLY);
  try {
    server.listen(path);
  } finally {
    process.umask(mask);
  }
  server.on('error', () => {});
  server.unref();
  return server;
}

async function answerTo(line: string, handlers: ControlHandlers): Promise<ControlAnswer> {
  const request = REQUEST.safeParse(JSON.parse(line));
  if (!request.success) return { ok: false, text: 'the request is none of status, resolve' };
  if (request.data.do === 'status') return { ok: true, status: handlers.status() };
  const { migrationId, verdict, text } = request.data;
  return handlers.resolve(migrationId, verdict, text);
}

/** Asks a host. @returns null when no process answers there */
export async function askControl(path: string, request: ControlRequest): Promise<ControlAnswer | null> {
  const socket = connect(path);
  try {
    socket.write(`${JSON.stringify(request)}\n`);
    const answer = ANSWER.safeParse(JSON.parse(await readLine(socket)));
    return answer.success ? answer.data : null;
  } catch {
    return null;
  } finally {
    socket.destroy();
  }
}

/** The first line, bounded in bytes and in time. */
function readLine(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    socket.setEncoding('utf8');
    socket.setTimeout(LIMIT_MS, () => socket.destroy(new Error('no whole line in time')));
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('the connection ended before a line did')));
    socket.on('data', (chunk: string) => {
      text += chunk;
      const end = text.indexOf('\n');
      if (end >= 0) resolve(text.slice(0, end));
      else if (text.length > LINE_BYTES_MAX) socket.destroy(new Error('the line is too long'));
    });
  });
}
