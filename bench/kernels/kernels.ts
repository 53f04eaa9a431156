/**
 * What costs time in every move, each by itself: a name, and a function that makes ready and gives what is timed.
 * What is timed returns something, so that no compiler leaves it out.
 */
import { frameOf, NS_PER_US, PAGE_SIZE, PageSet, Rng, TimeHeap, WOKE } from '../../src/core/index.js';
import { Fiber, type FiberAction, resolveFiber } from '../../src/fiber/index.js';
import { createGuestMemory, openDirtyLog, PageHasher } from '../../src/guest/memory/index.js';
import {
  Bridge,
  type BridgeAction,
  decodeEthernet,
  decodeIpv4,
  writeEthernet,
  writeIpv4,
} from '../../src/l2/index.js';
import {
  applyDelta,
  decodeMessage,
  encodeDelta,
  encodeMessage,
  encodePageSet,
  LENGTH_BYTES,
} from '../../src/vmotion-protocol/index.js';
import { openCodec } from '../../src/vmotion-protocol/transport/index.js';
import { MESSAGES } from './messages.js';

export interface Kernel {
  /** Tokens joined by dots. */
  readonly name: string;
  /** Null where this machine lacks what it needs. */
  ready(): (() => unknown) | null;
}

const GUEST = 0x525400000001;
const CLIENT = 0x525400000002;
const PAGE_WORDS = PAGE_SIZE / 4;
const SCANNED_PAGES = 16_384;

function ipFrame(): Uint8Array {
  const b = new Uint8Array(98);
  writeEthernet(b, 0, GUEST, CLIENT, 0x0800);
  writeIpv4(b, 14, 0x0a500001, 0x0a50000a, 1, 1, 64);
  return b;
}

function randomPage(seed: string): Uint8Array {
  const rng = new Rng(seed);
  return Uint8Array.from({ length: PAGE_SIZE }, () => rng.u32() & 0xff);
}

/** Words that a text of logs repeats. */
function textPage(): Uint8Array {
  const line = '2026-11-30 17:01:02 host a: round 3: 5151 pages dirty; continue: rounds help\n';
  return new Uint8Array(Buffer.from(line.repeat(Math.ceil(PAGE_SIZE / line.length)).slice(0, PAGE_SIZE)));
}

export const KERNELS: readonly Kernel[] = [
  { name: 'noop', ready: () => () => 0 },
  {
    name: 'frame.decode',
    ready: () => {
      const b = ipFrame();
      return () => {
        const ethernet = decodeEthernet(b, 0, b.length);
        return ethernet.ok ? decodeIpv4(b, 14, b.length) : null;
      };
    },
  },
  {
    name: 'bridge.step',
    ready: () => {
      const bridge = new Bridge();
      const out: BridgeAction[] = [];
      for (const [port, role] of [
        [0, 'stretch'],
        [1, 'guest'],
        [2, 'client'],
      ] as const)
        bridge.step(0, { type: 'port-added', port, name: role, role }, out);
      const [there, back] = [new Uint8Array(60), new Uint8Array(60)];
      writeEthernet(there, 0, GUEST, CLIENT, 0x0800);
      writeEthernet(back, 0, CLIENT, GUEST, 0x0800);
      bridge.step(0, { type: 'frame-received', port: 1, frame: frameOf(back) }, out);
      const event = { type: 'frame-received' as const, port: 2, frame: frameOf(there) };
      let nowNs = 1;
      return () => {
        out.length = 0;
        bridge.step(nowNs++, event, out);
        return out;
      };
    },
  },
  {
    name: 'fiber.step',
    ready: () => {
      const fiber = new Fiber(resolveFiber({ profile: 'metro-80km' }), new Rng(1));
      const out: FiberAction[] = [];
      const frame = frameOf(new Uint8Array(1514));
      let nowNs = 0;
      // Offered every 2 µs at 10 Gbit/s: 200 frames are on the way, and one leaves for each that comes.
      return () => {
        out.length = 0;
        nowNs += 2 * NS_PER_US;
        const shape = { packets: 1, wireBytes: 1538, packetBytes: 1538, trafficClass: 1 as const };
        fiber.step(nowNs, { type: 'frame-offered', direction: 'a-b', frame, ...shape }, out);
        if (fiber.nextWakeNs() <= nowNs) fiber.step(nowNs, WOKE, out);
        return out;
      };
    },
  },
  {
    name: 'heap.push_pop',
    ready: () => {
      const heap = new TimeHeap<number>();
      const rng = new Rng(1);
      for (let i = 0; i < 1000; i++) heap.push(rng.u32(), i);
      let at = 0xffffffff;
      return () => {
        heap.push(at++, 1);
        return heap.pop();
      };
    },
  },
  {
    name: 'page.scan_64MiB',
    ready: () => {
      const memory = createGuestMemory(SCANNED_PAGES);
      const { log } = openDirtyLog(memory, 'scan');
      const pages = new PageSet(SCANNED_PAGES);
      log.start();
      return () => log.harvest(pages);
    },
  },
  {
    name: 'page.hash',
    ready: () => {
      const memory = createGuestMemory(256);
      memory.bytes.set(randomPage('hash'), 5 * PAGE_SIZE);
      const hasher = new PageHasher(memory);
      return () => hasher.hash(5);
    },
  },
  {
    name: 'dirty_log.harvest_1000_of_16384',
    ready: () => {
      const memory = createGuestMemory(SCANNED_PAGES);
      memory.bytes.fill(1);
      const { log, why } = openDirtyLog(memory, 'auto');
      if (!why.startsWith('kernel')) return null;
      const pages = new PageSet(SCANNED_PAGES);
      log.start();
      return () => {
        for (let i = 0; i < 1000; i++) memory.bytes[(i * 16 + 3) * PAGE_SIZE]!++;
        pages.clear();
        return log.harvest(pages);
      };
    },
  },
  {
    name: 'page_set.encode',
    ready: () => {
      const pages = new PageSet(65_536);
      for (let i = 0; i < 500; i++) pages.add(i * 131);
      return () => encodePageSet(pages);
    },
  },
  {
    name: 'delta.encode',
    ready: () => {
      const base = new Int32Array(randomPage('delta').buffer);
      const next = base.slice();
      for (let i = 0; i < 40; i++) next[(i * 25) % PAGE_WORDS]! ^= 0x55;
      const out = new Uint8Array(PAGE_SIZE);
      return () => encodeDelta(base, 0, next, 0, out, 0, PAGE_SIZE / 2);
    },
  },
  {
    name: 'delta.apply',
    ready: () => {
      const base = new Int32Array(randomPage('delta').buffer);
      const next = base.slice();
      for (let i = 0; i < 40; i++) next[(i * 25) % PAGE_WORDS]! ^= 0x55;
      const delta = new Uint8Array(PAGE_SIZE);
      const length = encodeDelta(base, 0, next, 0, delta, 0, PAGE_SIZE);
      const page = new Uint8Array(base.buffer);
      return () => applyDelta(delta, 0, length, page, 0);
    },
  },
  ...(['lz4', 'zstd', 'sparse'] as const).flatMap((name) => [
    compressing(name, 'text', textPage()),
    compressing(name, 'random', randomPage('compress')),
  ]),
  ...MESSAGES.flatMap((message): Kernel[] => {
    const name = message.type.replaceAll('-', '_');
    return [
      { name: `message.encode.${name}`, ready: () => () => encodeMessage(message) },
      {
        name: `message.decode.${name}`,
        ready: () => {
          const body = encodeMessage(message).subarray(LENGTH_BYTES);
          return () => decodeMessage(body);
        },
      },
    ];
  }),
];

function compressing(codecName: string, content: string, page: Uint8Array): Kernel {
  return {
    name: `compress.${codecName}.${content}`,
    ready: () => {
      const codec = openCodec(codecName);
      if (codec === null) return null;
      const out = new Uint8Array(2 * PAGE_SIZE);
      return () => codec.compress(page, 0, out, 0, PAGE_SIZE);
    },
  };
}
