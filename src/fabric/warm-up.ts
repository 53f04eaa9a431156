/**
 * Code that V8 has not compiled yet releases frames some 15 µs late, compiled code 2 µs. So before the fabric takes
 * its first frame it carries a few thousand of its own, on an engine and ports that are thrown away.
 */
import { resolveFiber } from '../fiber/index.js';
import { openNioUdpPair } from '../l2/ports/index.js';
import { addressOf, closeFd, connectUdp, Doorbell, nowNs, receiveBytes, sendBytes } from '../sys/index.js';
import { Engine } from './engine.js';

const FRAMES = 20_000;
/** However slow the machine is, it does not wait longer than this. */
const LIMIT_NS = 300_000_000;
const FRAME_BYTES = 98;
const BUFFER_BYTES = 1 << 20;
const LOOPBACK = 0x7f000001;

/** Runs frames both ways through a scratch engine. */
export function warmUp(seed: string): void {
  const bell = new Doorbell();
  const fiber = resolveFiber({ distanceM: 200, rateBps: 10e9 });
  const engine = new Engine({ fiber, qos: 'guest-first', spin: 'deadline', seed }, bell.fd, () => {});
  const ends = (['a', 'b'] as const).map((site) => {
    const pair = openNioUdpPair(BUFFER_BYTES);
    connectUdp(pair.farFd, { ip: LOOPBACK, port: pair.fabricPort });
    engine.handle({
      type: 'add-port',
      id: 0,
      port: { name: site, site, role: 'client', kind: 'nio-udp', fd: pair.fabricFd },
    });
    return pair.farFd;
  });
  const frames = [frame(1, 2), frame(2, 1)];
  const addresses = frames.map((f) => addressOf(f));
  const sink = new Uint8Array(new ArrayBuffer(2048));
  const sinkAddress = addressOf(sink);
  const untilNs = nowNs() + LIMIT_NS;
  for (let i = 0; i < FRAMES && nowNs() < untilNs; i++) {
    const side = i & 1;
    sendBytes(ends[side]!, addresses[side]!, FRAME_BYTES);
    engine.turn(() => []);
    while (receiveBytes(ends[1 - side]!, sinkAddress, sink.length) >= 0);
  }
  engine.handle({ type: 'remove-port', id: 0, name: 'a' });
  engine.handle({ type: 'remove-port', id: 0, name: 'b' });
  for (const fd of ends) closeFd(fd);
  bell.close();
}

function frame(from: number, to: number): Uint8Array {
  const bytes = new Uint8Array(new ArrayBuffer(256));
  bytes.set([2, 0, 0, 0, 0, to, 2, 0, 0, 0, 0, from, 0x88, 0xb5]);
  return bytes;
}
