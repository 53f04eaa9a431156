/** The QMP client against a fake QEMU: no process, no socket. */
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import type { LonghaulError } from '../../src/core/index.js';
import { decodeQmp, QmpClient, type QmpEvent } from '../../src/qemu/index.js';
import { suite } from '../suite.js';
import { FakeQemu, GREETING } from './fake-qemu.js';

const test = suite('qemu/qmp-client');

async function opened(): Promise<{ qemu: FakeQemu; client: QmpClient }> {
  const qemu = new FakeQemu();
  const client = new QmpClient(qemu.stream, 'QEMU at site a');
  qemu.say(GREETING);
  assert.is(await client.open(), '7.2.22');
  return { qemu, client };
}

function refusal(work: Promise<unknown>): Promise<LonghaulError> {
  return work.then(
    () => assert.unreachable('it was answered'),
    (e) => e,
  );
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('negotiates after the greeting, and not before', async () => {
  const qemu = new FakeQemu();
  const client = new QmpClient(qemu.stream, 'QEMU');
  const open = client.open();
  await turn();
  assert.equal(qemu.commands, []);
  qemu.say(GREETING);
  await open;
  assert.equal(
    qemu.commands.map((c) => c.execute),
    ['qmp_capabilities'],
  );
});

test('answers find their commands by id, in whatever order they come', async () => {
  const { qemu, client } = await opened();
  qemu.answer = () => undefined;
  const first = client.execute('query-status', {});
  const second = client.execute('query-migrate', {});
  const [a, b] = qemu.commands.slice(1);
  qemu.say({ return: { status: 'active' }, id: b!.id });
  qemu.say({ return: { running: true }, id: a!.id });
  assert.equal(await first, { running: true });
  assert.equal(await second, { status: 'active' });
});

test("a refusal carries QEMU's own words and the command", async () => {
  const { qemu, client } = await opened();
  qemu.answer = ({ id }) => ({ error: { class: 'GenericError', desc: 'Postcopy is not supported' }, id });
  const e = await refusal(client.execute('migrate-start-postcopy', {}));
  assert.is(e.code, 'QEMU_QMP_REFUSED');
  assert.is(e.message, 'QEMU at site a refused migrate-start-postcopy: Postcopy is not supported');
});

test('events come in order, stamped here and by QEMU, until one stops listening', async () => {
  const { qemu, client } = await opened();
  const heard: QmpEvent[] = [];
  const stop = client.onEvent((e) => heard.push(e));
  qemu.say({ timestamp: { seconds: 5, microseconds: 7 }, event: 'STOP' });
  qemu.say({ event: 'MIGRATION', data: { status: 'completed' } });
  stop();
  qemu.say({ event: 'RESUME' });
  assert.equal(
    heard.map(({ name, data, stampUs }) => ({ name, data, stampUs })),
    [
      { name: 'STOP', data: {}, stampUs: 5_000_007 },
      { name: 'MIGRATION', data: { status: 'completed' }, stampUs: null },
    ],
  );
  assert.ok(heard[1]!.atNs >= heard[0]!.atNs && heard[0]!.atNs > 0);
});

test('any split of the stream is heard the same', async () => {
  const text = Buffer.from(
    `${JSON.stringify(GREETING)}\r\n{"event":"STOP"}\r\n\r\n{"event":"RÉSUMÉ","data":{"x":"→"}}\n`,
  );
  for (let at = 0; at <= text.length; at++) {
    const qemu = new FakeQemu();
    const client = new QmpClient(qemu.stream, 'QEMU');
    const names: string[] = [];
    client.onEvent((e) => names.push(e.name));
    qemu.raw(text.subarray(0, at));
    qemu.raw(text.subarray(at));
    await client.open();
    assert.equal(names, ['STOP', 'RÉSUMÉ'], `cut at ${at}`);
  }
});

for (const [what, bytes] of [
  ['a line that is no JSON', 'QEMU 7.2 monitor\n'],
  ['a line without an end', Buffer.alloc(5 * 2 ** 20, 0x20)],
] as const) {
  test(`${what} ends the channel, and whoever waits is told`, async () => {
    const { qemu, client } = await opened();
    qemu.answer = () => undefined;
    const waiting = refusal(client.execute('query-status', {}));
    qemu.raw(bytes);
    assert.is((await waiting).code, 'QEMU_QMP_BROKEN');
    assert.is((await refusal(client.execute('quit', {}))).code, 'QEMU_QMP_BROKEN');
    assert.ok(qemu.stream.destroyed);
  });
}

test('a QEMU that goes away tells whoever waits, also before its greeting', async () => {
  const { qemu, client } = await opened();
  qemu.answer = () => undefined;
  const waiting = refusal(client.execute('query-status', {}));
  qemu.hangUp();
  assert.is((await waiting).code, 'QEMU_DIED');

  const silent = new FakeQemu();
  const early = refusal(new QmpClient(silent.stream, 'QEMU').open());
  silent.hangUp();
  assert.is((await early).code, 'QEMU_DIED');
});

test('whatever a line holds, it is read or refused, never thrown at', () => {
  const anything = fc.oneof(
    fc.string(),
    fc.json(),
    fc.object().map((o) => JSON.stringify(o)),
  );
  fc.assert(
    fc.property(anything, (line) => {
      decodeQmp(line, 1);
    }),
  );
  fc.assert(
    fc.property(fc.anything(), fc.anything(), (a, b) => {
      for (const message of [
        { QMP: a },
        { event: 'X', timestamp: a, data: b },
        { error: a, id: b },
        { return: a, id: b },
      ])
        decodeQmp(
          JSON.stringify(message, (_, v) => (typeof v === 'bigint' ? `${v}` : v)),
          1,
        );
    }),
  );
});

test.run();
