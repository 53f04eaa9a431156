/**
 * A VXLAN port against Linux's own `vxlan` device: the kernel pings a station of the fabric through the tunnel.
 *
 *   namespace "peer"                      namespace "underlay"           the fabric          namespace "site"
 *   ping ─ vx0 (VXLAN device) ─ veth ═══════ veth ─ UDP sockets of ─── VXLAN port ─ bridge ─ TAP ─ kernel
 */
import { spawn, spawnSync } from 'node:child_process';
import * as assert from 'uvu/assert';
import { Fabric } from '../../src/fabric/index.js';
import { resolveFiber } from '../../src/fiber/index.js';
import { openVxlanSockets } from '../../src/l2/ports/index.js';
import { attachStation, tryNetns } from '../../src/lab/attach.js';
import { hostStation } from '../../src/lab/stations.js';
import { bringUp, closeFd, createNetns, createVeth, inNetns } from '../../src/sys/index.js';
import { suite } from '../suite.js';
import { lackOf } from './sites.js';

const test = suite('interop/vxlan');
const VNI = 42;
const PORT = 4789;
const NEAR_IP = 0xc0a8_6401;
const FAR_IP = 0xc0a8_6402;
const BUFFER_BYTES = 4 * 2 ** 20;
/** The underlay carries full inner frames: 1500 and the tunnel's 50 bytes. */
const UNDERLAY_MTU = 1550;

function inside(netns: number, command: string): { readonly ok: boolean; readonly text: string } {
  const [program, ...args] = command.split(' ');
  const r = inNetns(netns, () => spawnSync(program!, args, { encoding: 'utf8' }));
  return { ok: r.status === 0, text: `${r.stdout}${r.stderr}` };
}

/** Like `inside`, while this process goes on. */
function run(netns: number, command: string): Promise<string> {
  const [program, ...args] = command.split(' ');
  return new Promise((resolve, reject) => {
    const child = inNetns(netns, () => spawn(program!, args, { stdio: ['ignore', 'pipe', 'inherit'] }));
    let out = '';
    child.stdout.on('data', (d) => {
      out += d;
    });
    child.on('error', reject);
    child.on('close', () => resolve(out));
  });
}

function lackOfVxlan(): string | null {
  const lack = lackOf('ip') ?? lackOf('ping');
  if (lack !== null) return lack;
  const netns = createNetns();
  const made = inside(netns, `ip link add vx0 type vxlan id ${VNI} dstport ${PORT} local 192.168.100.2`);
  closeFd(netns);
  return made.ok ? null : `no VXLAN device can be made here: ${made.text.trim()}`;
}

test.when(lackOfVxlan(), 'Linux’s own VXLAN device pings a station behind the fabric', async () => {
  const underlay = createNetns();
  const peer = createNetns();
  const name = `t${process.pid % 100_000}x`;
  inNetns(underlay, () => {
    createVeth(name, 'eth0', peer);
    bringUp(name, { ip: NEAR_IP, prefix: 24, mtu: UNDERLAY_MTU });
    bringUp('lo');
  });
  inNetns(peer, () => bringUp('eth0', { ip: FAR_IP, prefix: 24, mtu: UNDERLAY_MTU }));
  for (const command of [
    `ip link add vx0 type vxlan id ${VNI} local 192.168.100.2 remote 192.168.100.1 dstport ${PORT} dev eth0`,
    'ip address add 10.80.1.77/24 dev vx0',
    'ip link set vx0 up',
  ]) {
    const done = inside(peer, command);
    assert.ok(done.ok, `${command}: ${done.text}`);
  }

  const fabric = new Fabric({
    fiber: resolveFiber({ profile: 'metro-80km' }),
    qos: 'guest-first',
    spin: 'deadline',
    seed: 'vxlan',
  });
  // The tunnel ends at site B, the station stands at site A: every echo crosses the fiber twice.
  const sockets = inNetns(underlay, () => openVxlanSockets(0, BUFFER_BYTES, PORT));
  const station = attachStation({ kind: 'netns', why: 'test', ports: tryNetns() }, hostStation('a'));
  try {
    await fabric.addPort(station.port);
    await fabric.addPort({
      name: 'tunnel',
      site: 'b',
      role: 'client',
      kind: 'vxlan',
      fd: sockets.fd,
      vxlan: { vni: VNI, peers: [{ ip: FAR_IP, port: PORT }], senderFds: sockets.senderFds },
    });
    const out = await run(peer, 'ping -c 50 -i 0.01 -s 1472 -M do 10.80.1.1');
    assert.match(out, /50 packets transmitted, 50 received/);
    for (const m of out.matchAll(/time=([\d.]+) ms/g)) assert.ok(Number(m[1]) >= 0.8, m[0]);
    const back = await run(station.netnsFd!, 'ping -c 20 -i 0.01 10.80.1.77');
    assert.match(back, /20 packets transmitted, 20 received/);
    const tunnel = (await fabric.snapshot()).ports.find((p) => p.name === 'tunnel')!;
    assert.ok(tunnel.framesIn >= 70 && tunnel.framesOut >= 70);
    assert.is(tunnel.busy + tunnel.tooLong + tunnel.gone, 0);
  } finally {
    await fabric.stop();
    for (const fd of [underlay, peer, station.netnsFd!]) closeFd(fd);
  }
});

test.run();
