/**
 * A rehearsal of the flow of pages over the kernel's UDP: before a host is ready, its thread sends a scratch memory of
 * 1 MiB to itself some fifty times, over two sockets of the loopback interface.
 *
 *   UdpPageSender ─► UdpLinks ─► KernelWire ─► KernelWire ─► UdpLinks ─► UdpPageReceiver        a round is all of it
 *
 * There is much that each datagram passes through. V8 compiles it during the first round else, which takes helper threads
 * a third of a second of both cores; and what was compiled for the wire in memory of `rehearsal.ts` is thrown away when
 * the first socket is met. Over TCP there is little, and its rehearsal gained nothing.
 */
import { PAGE_SIZE, PageSet } from '../core/index.js';
import { createGuestMemory } from '../guest/memory/index.js';
import { compilingEarly, nowNs, PollSet } from '../sys/index.js';
import {
  KernelWire,
  type Link,
  LinkBuffers,
  type LinkPoller,
  openRecordSuite,
  regionOf,
  SharedKeyLinks,
  UdpLinks,
  UdpPageReceiver,
  UdpPageSender,
  udpLinkOf,
} from '../vmotion-protocol/transport/index.js';
import { PageTable } from './page-table.js';

const PAGES = 256;
const ROUNDS = 48;
/** However slow the machine is, a host is not kept longer. */
const LIMIT_NS = 400_000_000;
const POLLED_MAX = 8;
const MTU = 1500;
/** By so many bytes the content is shifted each round: no page is what any page was before. */
const SHIFT_BYTES = 48;

/**
 * @param sealed over links that are sealed, as the host's own will be @param limitNs when it is over, so is the rehearsal
 * @returns rounds that arrived, and whether the last of them arrived as it was sent
 */
export function rehearseFlow(
  sealed: boolean,
  rounds = ROUNDS,
  limitNs = LIMIT_NS,
): { readonly arrived: number; readonly good: boolean } {
  const untilNs = nowNs() + limitNs;
  const flow = new Flow(sealed);
  let arrived = 0;
  compilingEarly(() => {
    while (arrived < rounds && flow.round(arrived + 1, untilNs)) arrived++;
  });
  flow.close();
  return { arrived, good: flow.same };
}

class Side {
  readonly memory = createGuestMemory(PAGES);
  readonly region = regionOf(this.memory.bytes);
  readonly table = new PageTable(this.memory);
}

class Flow {
  readonly #polls = new PollSet(POLLED_MAX);
  readonly #near: LinkPoller;
  readonly #far: LinkPoller;
  readonly #source = new Side();
  readonly #target = new Side();
  readonly #link: Link;
  readonly #sender: UdpPageSender;
  #farLink: Link | null = null;
  #receiver: UdpPageReceiver | null = null;
  #applied = 0;
  /** Random, and a page longer than the memory. */
  readonly #content = new Uint8Array((PAGES + 1) * PAGE_SIZE);

  constructor(sealed: boolean) {
    const [near, far] = KernelWire.pair(this.#polls, MTU);
    const ends = [new UdpLinks(near, { sealed }), new UdpLinks(far, { sealed })] as const;
    [this.#near, this.#far] = sealed
      ? SharedKeyLinks.pair(...ends, openRecordSuite(), new LinkBuffers())
      : ends;
    this.#link = this.#near.connect();
    const { region, table } = this.#source;
    this.#sender = new UdpPageSender(region, table, udpLinkOf(this.#link)!);
    const words = new Uint32Array(this.#content.buffer);
    for (let i = 0, x = 1; i < words.length; i++) {
      x ^= x << 13;
      x ^= x >>> 17;
      x ^= x << 5;
      words[i] = x;
    }
  }

  /** Sends all of the memory. @returns whether it had arrived before `untilNs` */
  round(round: number, untilNs: number): boolean {
    const from = ((round - 1) * SHIFT_BYTES) % PAGE_SIZE;
    this.#source.memory.bytes.set(this.#content.subarray(from, from + PAGES * PAGE_SIZE));
    this.#sender.begin(round, PageSet.full(PAGES), false);
    while (this.#applied < round && nowNs() < untilNs) {
      this.#polls.wait(0);
      this.#near.takeIn(nowNs());
      this.#far.takeIn(nowNs());
      if (this.#receiver === null) this.#receiveFrom(this.#far.accept());
      this.#sender.pump();
      this.#receiver?.receive();
      this.#near.flush(nowNs());
      this.#far.flush(nowNs());
    }
    return this.#applied === round;
  }

  /** Whether both sides hold the same. */
  get same(): boolean {
    return Buffer.compare(this.#source.memory.bytes, this.#target.memory.bytes) === 0;
  }

  close(): void {
    this.#link.close();
    this.#farLink?.close();
    this.#near.close();
    this.#far.close();
  }

  #receiveFrom(link: Link | null): void {
    if (link === null) return;
    this.#farLink = link;
    const { region, table } = this.#target;
    const events = {
      onRoundApplied: (round: number) => {
        this.#applied = round;
      },
      onViolation: (code: string, text: string) => {
        throw new Error(`${code}: ${text}`);
      },
    };
    this.#receiver = new UdpPageReceiver(region, PAGES, table, events, udpLinkOf(link)!);
    this.#receiver.begin();
  }
}
