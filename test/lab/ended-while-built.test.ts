/** Ctrl-C while a run is built: what is about to be started then must not be started any more. */
import * as assert from 'uvu/assert';
import type { Fabric } from '../../src/fabric/index.js';
import type { ChosenAttach } from '../../src/lab/attach.js';
import { experimentFrom } from '../../src/lab/config/experiment-file.js';
import { Hosts } from '../../src/lab/hosts.js';
import { Sessions } from '../../src/lab/sessions.js';
import { Stage } from '../../src/lab/stage.js';
import { suite } from '../suite.js';

const test = suite('lab/ended-while-built');
const CHOSEN = { kind: 'loopback', why: 'for the test' } as ChosenAttach;

/** A fabric whose ports are not there before `open` is called. */
function slowFabric() {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, fabric: { addPort: () => opened } as unknown as Fabric };
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'none',
    (e) => e.code,
  );
}

test('Ctrl-C while a client was attached left its process, and the run waited for it for ever', async () => {
  const { fabric, open } = slowFabric();
  const sessions = new Sessions(experimentFrom(), CHOSEN, fabric, 0, () => {});
  const attached = codeOf(sessions.attach());
  await sessions.end();
  open();
  assert.is(await attached, 'LAB_INTERRUPTED');
});

test('Ctrl-C while a host was started left its process, and the run waited for it for ever', async () => {
  const { fabric, open } = slowFabric();
  const stage = { fabric, stationOf: () => ({}) } as unknown as Stage;
  const transport = { kind: 'tcp', congestion: null, rateBps: null } as const;
  const hosts = new Hosts(experimentFrom(), stage, transport, '/nowhere', null);
  const started = codeOf(hosts.start());
  await Promise.all(hosts.end());
  open();
  assert.is(await started, 'LAB_INTERRUPTED');
});

test('Ctrl-C while hosts became ready let clients begin behind it, and the run waited for them for ever', async () => {
  const stage = new Stage(experimentFrom(), CHOSEN, 0, {
    onEvent: () => {},
    signal: new AbortController().signal,
  });
  await stage.tearDown([]);
  assert.is(await codeOf(stage.admitClients()), 'LAB_INTERRUPTED');
});

test.run();
