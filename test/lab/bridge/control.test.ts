import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { ConfigError, isLonghaulError } from '../../../src/core/index.js';
import { ControlClient } from '../../../src/lab/bridge/client.js';
import { type CarryOut, ControlServer } from '../../../src/lab/bridge/control.js';
import { type ControlRequest, MAX_REQUEST_BYTES } from '../../../src/lab/bridge/protocol.js';
import { claimSocket, findBridges, socketPath } from '../../../src/lab/bridge/sockets.js';
import { suite } from '../../suite.js';

const test = suite('lab/bridge/control');

const dir = mkdtempSync(join(tmpdir(), 'longhaul-control-'));
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));
let sockets = 0;
const newPath = (): string => join(dir, `${sockets++}.sock`);

/** A greeting or an answer. */
interface Heard {
  readonly id?: unknown;
  readonly ok?: boolean;
  readonly error: { readonly code: string; readonly message: string };
}

/** A server that keeps what it was asked, and what a raw client says to it. */
class Scene {
  readonly asked: ControlRequest[] = [];
  readonly #server: ControlServer;
  readonly #socket: Socket;
  readonly #lines: AsyncIterator<string>;

  private constructor(server: ControlServer, socket: Socket, asked: ControlRequest[]) {
    this.asked = asked;
    this.#server = server;
    this.#socket = socket;
    this.#lines = createInterface({ input: socket })[Symbol.asyncIterator]();
  }

  static async open(carryOut: CarryOut = async () => 'done'): Promise<Scene> {
    const asked: ControlRequest[] = [];
    const server = await ControlServer.listen(newPath(), 'scene', (request) => {
      asked.push(request);
      return carryOut(request);
    });
    return new Scene(server, connect(server.path), asked);
  }

  get path(): string {
    return this.#server.path;
  }

  say(text: string): void {
    this.#socket.write(text);
  }

  /** The next line; null at the end of the connection. */
  async hear(): Promise<Heard | null> {
    const { done, value } = await this.#lines.next();
    return done ? null : JSON.parse(value);
  }

  async close(): Promise<void> {
    this.#socket.destroy();
    await this.#server.close();
  }
}

async function scene(body: (s: Scene) => Promise<void>, carryOut?: CarryOut): Promise<void> {
  const s = await Scene.open(carryOut);
  try {
    await body(s);
  } finally {
    await s.close();
  }
}

test('greeting, requests, answers: a script', () =>
  scene(async (s) => {
    assert.equal(await s.hear(), { protocol: 'longhaul/control/1', name: 'scene', pid: process.pid });
    s.say('{"id":1,"do":"show"}\n');
    assert.equal(await s.hear(), { id: 1, ok: true, result: 'done' });
    s.say('{"id":"x","do":"set","lane":{"loss":"1%"}}\n{"do":"macs"}\n');
    assert.equal(await s.hear(), { id: 'x', ok: true, result: 'done' });
    assert.equal(await s.hear(), { ok: true, result: 'done' });
    assert.equal(s.asked, [
      { id: 1, do: 'show' },
      { id: 'x', do: 'set', direction: 'both', lane: { loss: '1%' } },
      { do: 'macs', limit: 1000 },
    ]);
  }));

test('a request may come in any pieces, and several at once', () =>
  scene(async (s) => {
    await s.hear();
    for (const c of '{"id":1,"do":"ports"}\r\n\n{"id":2,"do":"ports"}\n') s.say(c);
    assert.is((await s.hear())!.id, 1);
    assert.is((await s.hear())!.id, 2);
  }));

test('answers come in the order of the requests, however long each takes', () =>
  scene(
    async (s) => {
      await s.hear();
      s.say('{"id":1,"do":"show"}\n{"id":2,"do":"ports"}\n');
      assert.is((await s.hear())!.id, 1);
      assert.is((await s.hear())!.id, 2);
    },
    (request) => new Promise((resolve) => setTimeout(resolve, request.do === 'show' ? 20 : 0)),
  ));

test('mistakes are refused with a code, and the connection stays', () =>
  scene(async (s) => {
    await s.hear();
    for (const [line, code, text] of [
      ['nonsense', 'LAB_CONTROL_JSON', /not a JSON object/],
      ['[]', 'LAB_CONTROL_JSON', /not a JSON object/],
      ['null', 'LAB_CONTROL_JSON', /not a JSON object/],
      [
        '{"id":3}',
        'LAB_CONTROL_COMMAND',
        /^do is missing: it is not one of show, ports, macs, set, add-port, remove-port, record, recording, stop-recording$/,
      ],
      ['{"do":"shwo"}', 'LAB_CONTROL_COMMAND', /^do "shwo" is not one of/],
      ['{"do":"constructor"}', 'LAB_CONTROL_COMMAND', /is not one of/],
      ['{"do":"show","more":1}', 'LAB_CONTROL_FIELD', /more/],
      ['{"do":"set"}', 'LAB_CONTROL_FIELD', /lane/],
      ['{"do":"set","lane":{},"direction":"c"}', 'LAB_CONTROL_FIELD', /direction/],
      ['{"do":"set","lane":{},"span":-1}', 'LAB_CONTROL_FIELD', /span/],
      ['{"do":"macs","limit":1e9}', 'LAB_CONTROL_FIELD', /limit/],
      ['{"do":"remove-port","name":7}', 'LAB_CONTROL_FIELD', /name/],
    ] as const) {
      s.say(`${line}\n`);
      const answer = (await s.hear())!;
      assert.is(answer.ok, false, line);
      assert.is(answer.error.code, code, line);
      assert.match(answer.error.message, text);
    }
    assert.equal(s.asked, []);
    s.say('{"id":9,"do":"show"}\n');
    assert.is((await s.hear())!.ok, true);
  }));

test('what a request throws is its answer, with code and remedy', () =>
  scene(
    async (s) => {
      await s.hear();
      s.say('{"id":1,"do":"show"}\n');
      assert.equal((await s.hear())!.error, { code: 'X_Y', message: 'no', hint: 'yes' });
      s.say('{"id":2,"do":"ports"}\n');
      assert.equal((await s.hear())!.error, { code: 'LAB_CONTROL_FAILED', message: 'boom' });
    },
    async (request) => {
      throw request.do === 'show' ? new ConfigError('X_Y', 'no', { hint: 'yes' }) : new Error('boom');
    },
  ));

test('a line without end is refused before it is kept, and only its client pays', () =>
  scene(async (s) => {
    await s.hear();
    const other = await ControlClient.open(s.path);
    s.say('x'.repeat(MAX_REQUEST_BYTES + 100_000));
    assert.is((await s.hear())!.error.code, 'LAB_CONTROL_LINE');
    assert.is(await s.hear(), null);
    assert.is(await other.ask({ do: 'show' }), 'done');
    other.close();
  }));

test('the longest request is taken', () =>
  scene(async (s) => {
    await s.hear();
    const empty = '{"do":"remove-port","name":""}';
    s.say(`${empty.slice(0, -2)}${'x'.repeat(MAX_REQUEST_BYTES - empty.length)}"}\n`);
    assert.is((await s.hear())!.ok, true);
  }));

test('one client too many is told so', () =>
  scene(async (s) => {
    await s.hear();
    const clients = await Promise.all(Array.from({ length: 15 }, () => ControlClient.open(s.path)));
    const refused = await ControlClient.open(s.path).catch((e: unknown) => e);
    assert.ok(isLonghaulError(refused, 'LAB_CONTROL_BUSY'), String(refused));
    for (const client of clients) client.close();
  }));

test('a client that leaves in the middle of a request hurts no one', () =>
  scene(async (s) => {
    await s.hear();
    for (let i = 0; i < 20; i++) {
      const gone = connect(s.path);
      gone.write('{"do":"show"}\n{"do":');
      gone.once('connect', () => gone.destroy());
      await new Promise((resolve) => gone.once('close', resolve));
    }
    s.say('{"id":1,"do":"show"}\n');
    assert.is((await s.hear())!.ok, true);
  }));

test('any bytes are answered or dropped, and the server lives', () =>
  scene(async (s) => {
    await s.hear();
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
        const socket = connect(s.path);
        socket.on('error', () => {});
        socket.resume();
        socket.end(Buffer.concat([bytes, Buffer.from('\n')]));
        await new Promise((resolve) => socket.once('close', resolve));
      }),
      { numRuns: 60 },
    );
    s.say('{"id":1,"do":"show"}\n');
    assert.is((await s.hear())!.ok, true);
  }));

test('only its owner may use the socket, and it is gone when the server closes', async () => {
  const s = await Scene.open();
  assert.is(statSync(s.path).mode & 0o777, 0o600);
  await s.close();
  assert.not.ok(existsSync(s.path));
});

test('a client that asked nothing for a while was cut off, and its recording went on without it', () =>
  scene(async (s) => {
    const client = await ControlClient.open(s.path, 50);
    for (let n = 0; n < 2; n++) {
      await sleep(200);
      assert.is(await client.ask({ do: 'show' }), 'done');
    }
    client.close();
  }));

test('a client understands refusals, and who speaks something else', async () => {
  await scene(
    async (s) => {
      const client = await ControlClient.open(s.path);
      assert.is(client.greeting.name, 'scene');
      const e = await client.ask({ do: 'remove-port', name: 'x' }).catch((error: unknown) => error);
      assert.instance(e, ConfigError);
      assert.is((e as ConfigError).line(), 'LAB_CONTROL_ABSENT: there is no port x; none is there');
      client.close();
    },
    async () => {
      throw new ConfigError('LAB_CONTROL_ABSENT', 'there is no port x', { hint: 'none is there' });
    },
  );
  for (const words of ['{"protocol":"longhaul/control/2","name":"x","pid":1}\n', 'SSH-2.0-x\n', '']) {
    const path = newPath();
    const server = createServer((socket) => socket.end(words)).listen(path);
    const e = await ControlClient.open(path).catch((error: unknown) => error);
    assert.ok(isLonghaulError(e, 'LAB_CONTROL_PEER'), String(e));
    await new Promise((resolve) => server.close(resolve));
  }
});

test('claiming: a free place, a running bridge, a killed one, a file', async () => {
  await claimSocket(newPath());
  await scene(async (s) => {
    const e = await claimSocket(s.path).catch((error: unknown) => error);
    assert.ok(isLonghaulError(e, 'LAB_BRIDGE_RUNS'));
    assert.match((e as Error).message, `the bridge scene runs there already (process ${process.pid})`);
  });
  const file = newPath();
  writeFileSync(file, 'mine');
  const e = await claimSocket(file).catch((error: unknown) => error);
  assert.ok(isLonghaulError(e, 'LAB_CONTROL_PATH'));
  assert.ok(existsSync(file), 'a file of the user is not removed');
  const long = await claimSocket(join(dir, 'x'.repeat(100))).catch((error: unknown) => error);
  assert.match((long as Error).message, 'longer than 107 bytes');
});

test('finding: bridges that answer, by name', async () => {
  const runtime = mkdtempSync(join(tmpdir(), 'longhaul-found-'));
  const before = process.env.XDG_RUNTIME_DIR;
  process.env.XDG_RUNTIME_DIR = runtime;
  try {
    assert.equal(await findBridges(), []);
    const path = socketPath('one');
    assert.is(path, join(runtime, 'longhaul', 'one.sock'));
    await claimSocket(path);
    const server = await ControlServer.listen(path, 'one', async () => null);
    writeFileSync(join(runtime, 'longhaul', 'other.sock'), 'no socket');
    assert.equal(
      (await findBridges()).map((b) => [b.name, b.path]),
      [['one', path]],
    );
    await server.close();
  } finally {
    if (before === undefined) delete process.env.XDG_RUNTIME_DIR;
    else process.env.XDG_RUNTIME_DIR = before;
    rmSync(runtime, { recursive: true, force: true });
  }
});

test.run();
