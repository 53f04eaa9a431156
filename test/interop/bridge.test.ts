/** `longhaul bridge` with namespaces, real programs in them, and interfaces that vanish. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import { METAL_IMAGE } from '../../src/lab/guest-orders.js';
import { suite } from '../suite.js';
import { lackOf } from './sites.js';

const test = suite('interop/bridge');

const MAIN = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));
const EXAMPLES = fileURLToPath(new URL('../../../examples/', import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'longhaul-bridge-'));
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));
const env = { ...process.env, XDG_RUNTIME_DIR: dir };
/** Names of this run, so that two can be at work. */
const tag = `lh${process.pid % 100_000}`;
const [left, right] = [`${tag}l`, `${tag}r`];

const root = process.getuid?.() === 0 ? null : 'named namespaces are root’s';
const lack = root ?? lackOf('ip') ?? lackOf('ping');

function sh(command: string): { status: number | null; out: string } {
  const { status, stdout, stderr } = spawnSync('sh', ['-c', command], {
    encoding: 'utf8',
    env,
    timeout: 30_000,
  });
  return { status, out: stdout + stderr };
}

const ctl = (words: string): { status: number | null; out: string } =>
  sh(`${process.execPath} ${MAIN} ctl ${words}`);

interface Bridge {
  readonly child: ChildProcess;
  text(): string;
  end(signal: NodeJS.Signals): Promise<number | null>;
}

async function start(config: string): Promise<Bridge> {
  const child = spawn(process.execPath, [MAIN, 'bridge', config], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  await new Promise<void>((resolve) => {
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.on('data', (d) => {
        text += d;
        if (text.includes('runs; Ctrl-C ends it')) resolve();
      });
    }
    void ended.then(() => resolve());
  });
  return {
    child,
    text: () => text,
    end: (signal) => {
      child.kill(signal);
      return ended;
    },
  };
}

function twoNamespaces(): string {
  const config = join(dir, 'two.yaml');
  writeFileSync(
    config,
    `fiber: {one-way: 1ms}
ports:
  - {name: left, site: a, tap: ${left}, netns: ${left}, address: 10.0.0.1/24, mac: "02:4c:48:00:00:01", mtu: 1400}
  - {name: right, site: b, tap: ${right}, netns: ${right}, address: 10.0.0.2/24}
`,
  );
  return config;
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test.when(lack, `two named namespaces, ping across, ${signal}: nothing is left`, async () => {
    const bridge = await start(twoNamespaces());
    try {
      const ping = sh(`ip netns exec ${left} ping -c 20 -i 0.02 10.0.0.2`);
      assert.match(ping.out, /20 packets transmitted, 20 received/, bridge.text());
      for (const m of ping.out.matchAll(/time=([\d.]+) ms/g)) assert.ok(Number(m[1]) >= 2, m[0]);
      const link = sh(`ip -n ${left} link show ${left}`).out;
      assert.match(link, 'mtu 1400');
      assert.match(link, '02:4c:48:00:00:01');
      assert.is(ctl('set --direction a-b --loss 100%').status, 0);
      assert.match(sh(`ip netns exec ${left} ping -c 2 -i 0.1 -W 1 10.0.0.2`).out, '0 received');
    } finally {
      assert.is(await bridge.end(signal), 0);
    }
    assert.not.match(sh('ip netns list').out, tag);
    assert.not.match(sh('ip link').out, tag);
    assert.equal(readdirSync(join(dir, 'longhaul')), []);
  });
}

test.when(lack, 'a namespace that was there stays, with all that is in it', async () => {
  assert.is(sh(`ip netns add ${left}`).status, 0);
  try {
    const bridge = await start(twoNamespaces());
    assert.match(sh(`ip -n ${left} addr`).out, '10.0.0.1/24');
    assert.is(await bridge.end('SIGTERM'), 0);
    assert.match(sh('ip netns list').out, left);
    assert.not.match(sh('ip netns list').out, right);
    assert.not.match(sh(`ip -n ${left} link`).out, `${left}:`);
  } finally {
    sh(`ip netns del ${left}`);
  }
});

test.when(lack, 'what a killed bridge has left is removed by the next one of its name', async () => {
  const config = twoNamespaces();
  await (await start(config)).end('SIGKILL');
  assert.match(sh('ip netns list').out, left);
  const next = await start(config);
  assert.match(sh(`ip netns exec ${left} ping -c 1 -W 2 10.0.0.2`).out, '1 received');
  assert.is(await next.end('SIGTERM'), 0);
  assert.not.match(sh('ip netns list').out, tag);
});

test.when(lack, 'a port that vanishes is reported, and the rest goes on', async () => {
  const bridge = await start(twoNamespaces());
  try {
    const third = `{name: third, site: b, tap: ${tag}t, netns: ${right}, address: 10.0.1.3/24}`;
    assert.is(ctl(`port add '${third}'`).status, 0);
    assert.is(sh(`ip -n ${right} link del ${tag}t`).status, 0);
    for (let i = 0; i < 50 && !bridge.text().includes('has vanished'); i++) await sleep(100);
    assert.match(bridge.text(), `port third has vanished (tap ${tag}t in ${right}); the others go on`);
    assert.match(ctl('ports').out, /third .* gone/);
    assert.match(sh(`ip netns exec ${left} ping -c 3 -i 0.1 10.0.0.2`).out, '3 received');
    assert.is(ctl(`port add '${third}'`).status, 0, 'its name is free again');
    assert.is(ctl('port remove third').status, 0);
  } finally {
    assert.is(await bridge.end('SIGTERM'), 0);
  }
  assert.not.match(sh('ip netns list').out, tag);
});

test.when(lack, 'an interface that is there becomes a port, and is left as it was', async () => {
  const [near, far] = [`${tag}n`, `${tag}f`];
  assert.is(
    sh(`ip netns add ${right} && ip link add ${near} type veth peer name ${far} netns ${right}`).status,
    0,
  );
  try {
    sh(
      `ip link set ${near} up; ip -n ${right} addr add 10.0.0.2/24 dev ${far}; ip -n ${right} link set ${far} up`,
    );
    const config = join(dir, 'eth.yaml');
    writeFileSync(
      config,
      `ports:
  - {name: left, site: a, tap: ${left}, netns: ${left}, address: 10.0.0.1/24}
  - {name: eth, site: b, interface: ${near}}
`,
    );
    const bridge = await start(config);
    assert.match(sh(`ip netns exec ${left} ping -c 5 -i 0.05 10.0.0.2`).out, '5 received', bridge.text());
    sh(`ip link del ${near}`);
    for (let i = 0; i < 50 && !bridge.text().includes('has vanished'); i++) await sleep(100);
    assert.match(bridge.text(), 'port eth has vanished');
    assert.is(await bridge.end('SIGTERM'), 0);
  } finally {
    sh(`ip link del ${near}; ip netns del ${right}`);
  }
});

const vxlanLack =
  lack ??
  (sh('ip link add lhvxtry type vxlan id 1 dstport 4789 && ip link del lhvxtry').status === 0
    ? null
    : 'no vxlan device here');
const taken = ['vtep', 'left'].some((name) => existsSync(`/run/netns/${name}`))
  ? 'a namespace vtep or left is there'
  : null;

test.when(vxlanLack ?? taken, 'examples/vxlan-peer.yaml does what its comment says', async () => {
  try {
    const made = sh(`ip netns add vtep &&
      ip link add lh-under type veth peer name under netns vtep &&
      ip addr add 10.9.0.1/24 dev lh-under && ip link set lh-under up &&
      ip -n vtep addr add 10.9.0.2/24 dev under && ip -n vtep link set under up &&
      ip -n vtep link add vx42 type vxlan id 42 local 10.9.0.2 remote 10.9.0.1 dstport 4789 &&
      ip -n vtep addr add 10.0.0.2/24 dev vx42 && ip -n vtep link set vx42 up`);
    assert.is(made.status, 0, made.out);
    const bridge = await start(join(EXAMPLES, 'vxlan-peer.yaml'));
    assert.match(sh('ip netns exec left ping -c 10 -i 0.05 10.0.0.2').out, '10 received', bridge.text());
    assert.is(await bridge.end('SIGINT'), 0);
  } finally {
    sh('ip link del lh-under; ip netns del vtep');
  }
});

/** A machine with the metal image, on the NIO-UDP port of the example that sends to `port`. */
function qemuGuest(port: number, ip: string, mac: string): ChildProcess {
  const local = `local.type=inet,local.host=127.0.0.1,local.port=${port}`;
  const remote = `remote.type=inet,remote.host=127.0.0.1,remote.port=${port + 1}`;
  const words = ['-M', 'pc', '-m', '32', '-display', 'none', '-no-reboot', '-serial', 'stdio'];
  const machine = ['-kernel', METAL_IMAGE, '-append', `ip=${ip}`];
  const card = [
    '-netdev',
    `dgram,id=n0,${local},${remote}`,
    '-device',
    `virtio-net-pci,netdev=n0,mac=${mac}`,
  ];
  return spawn('qemu-system-i386', [...words, ...machine, ...card], { stdio: ['ignore', 'pipe', 'inherit'] });
}

/** Once it says so on its serial port, it answers. */
function ready(guest: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = '';
    guest.stdout!.on('data', (text) => {
      said += text;
      if (said.includes('metal: ready')) resolve();
    });
    guest.once('close', (code) => reject(new Error(`QEMU ended with ${code}: ${said}`)));
  });
}

test.when(
  lack ?? lackOf('qemu-system-i386'),
  'two QEMU guests on the bridge of the example answer a ping, one here and one 200 km away',
  async () => {
    const config = join(dir, 'guests.yaml');
    const example = readFileSync(join(EXAMPLES, 'two-qemu-guests.yaml'), 'utf8');
    const probe = `  - {name: probe, site: a, tap: ${left}, netns: ${left}, address: 10.0.0.1/24}`;
    writeFileSync(config, `${example}\n${probe}\n`);
    const bridge = await start(config);
    const guests = [
      qemuGuest(5000, '10.0.0.11', '02:4c:48:00:01:01'),
      qemuGuest(5010, '10.0.0.12', '02:4c:48:00:01:02'),
    ];
    try {
      await Promise.all(guests.map(ready));
      const rtts = (ip: string): number[] => {
        const { out } = sh(`ip netns exec ${left} ping -c 20 -i 0.05 ${ip}`);
        assert.match(out, / 20 received/, `${out}${bridge.text()}`);
        return [...out.matchAll(/time=([\d.]+) ms/g)].map((m) => Number(m[1]));
      };
      assert.is(rtts('10.0.0.11').length, 20);
      assert.ok(Math.min(...rtts('10.0.0.12')) >= 2, '200 km there and back');
    } finally {
      for (const guest of guests) guest.kill('SIGKILL');
      await bridge.end('SIGTERM');
    }
  },
);

test.run();
