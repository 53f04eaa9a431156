/**
 * A rehearsal of the flow of pages: before a host is ready, its thread sends a scratch memory of 1 MiB to itself some ten
 * times, over sockets of the same kind as the move will use.
 *
 *   PageSender ─► link ─► PageReceiver          a round is all of the memory
 *
 * Else V8 compiles what a page passes through during the first round, which takes a third of a second of both cores; and
 * what was compiled for the links in memory of `rehearsal.ts` is thrown away when the first real link is met.
 */
import { PAGE_SIZE, PageSet } from '../core/index.js';
import { createGuestMemory, PageDigester } from '../guest/memory/index.js';
import { nowNs, PollSet } from '../sys/index.js';
import { PageApplier } from '../vmotion-protocol/index.js';
import {
  KernelWire,
  type Link,
  LinkBuffers,
  type LinkPoller,
  openRecordSuite,
  PageReceiver,
  PageSender,
  type RoundReceiver,
  type RoundSender,
  regionOf,
  SharedKeyLinks,
  UdpLinks,
  UdpPageReceiver,
  UdpPageSender,
  udpLinkOf,
} from '../vmotion-protocol/transport/index.js';
import type { PipelineOrders, TransportOrders } from './ipc.js';
import { PageTable } from './page-table.js';
import { SocketPairLinks } from './socket-pair-links.js';
import { SourcePipeline } from './source-pipeline.js';

const PAGES = 256;
const ROUNDS = 48;
/** However slow the machine is, a host is not kept longer. */
const LIMIT_NS = 400_000_000;
const POLLED_MAX = 8;
const MTU = 1500;
/** By so many bytes the content is shifted each round: no page is what any page was before. */
const SHIFT_BYTES = 48;
const NOTHING = new Uint8Array(0);
const PLAIN: PipelineOrders = { compress: 'auto', delta: 'auto', dedup: 'auto', linkRateBps: null };

/** The source's links and the destination's. */
type Ends = readonly [near: LinkPoller, far: LinkPoller];

/**
 * @param sealed over links that are sealed, as the host's own will be @param limitNs when it is over, so is the rehearsal
 * @returns rounds that arrived, and whether the last one that did arrived as it was sent
 */
export function rehearseFlow(
  transport: TransportOrders,
  sealed: boolean,
  rounds = ROUNDS,
  limitNs = LIMIT_NS,
): { readonly arrived: number; readonly good: boolean } {
  const untilNs = nowNs() + limitNs;
  const flow = new Flow(transport, sealed);
  let arrived = 0;
  while (arrived < rounds && flow.round(arrived + 1, untilNs)) arrived++;
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
  readonly #transport: TransportOrders;
  #sender: RoundSender | null = null;
  #receiver: RoundReceiver | null = null;
  #farLink: Link | null = null;
  #applied = 0;
  /** Random, and a page longer than the memory. */
  readonly #content = new Uint8Array((PAGES + 1) * PAGE_SIZE);

  constructor(transport: TransportOrders, sealed: boolean) {
    const ends = transport.kind === 'tcp' ? streamEnds(this.#polls) : datagramEnds(this.#polls, sealed);
    [this.#near, this.#far] = sealed
      ? SharedKeyLinks.pair(...ends, openRecordSuite(), new LinkBuffers())
      : ends;
    this.#transport = transport;
    this.#link = this.#near.connect();
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
    let begun = false;
    while (this.#applied < round && nowNs() < untilNs) {
      this.#polls.wait(0);
      this.#near.takeIn(nowNs());
      this.#far.takeIn(nowNs());
      if (this.#sender === null) this.#open();
      if (this.#sender !== null) {
        if (!begun) this.#begin(this.#sender, round);
        begun = true;
        this.#sender.pump();
      }
      this.#receiver?.receive();
      this.#near.flush(nowNs());
      this.#far.flush(nowNs());
    }
    return this.#applied === round;
  }

  #begin(sender: RoundSender, round: number): void {
    const from = ((round - 1) * SHIFT_BYTES) % PAGE_SIZE;
    this.#source.memory.bytes.set(this.#content.subarray(from, from + PAGES * PAGE_SIZE));
    sender.begin(round, PageSet.full(PAGES), false);
  }

  /** Whether both sides hold the same. */
  get same(): boolean {
    return Buffer.compare(this.#source.memory.bytes, this.#target.memory.bytes) === 0;
  }

  close(): void {
    this.#link.close();
    this.#farLink?.close();
    this.#near.close();
    if (this.#far !== this.#near) this.#far.close();
  }

  /** Once the link has reached the other side. */
  #open(): void {
    const far = this.#far.accept();
    if (far === null) return;
    this.#farLink = far;
    const events = {
      onRoundApplied: (round: number) => {
        this.#applied = round;
      },
      onViolation: (code: string, text: string) => {
        throw new Error(`${code}: ${text}`);
      },
    };
    const { region, table, memory } = this.#source;
    const target = this.#target;
    const applier = new PageApplier(target.memory.bytes, new PageDigester(), null);
    const [nearUdp, farUdp] = [udpLinkOf(this.#link), udpLinkOf(far)];
    if (nearUdp !== null && farUdp !== null) {
      this.#sender = new UdpPageSender(
        region,
        table,
        nearUdp,
        this.#transport.kind === 'udp' && this.#transport.fec,
      );
      this.#receiver = new UdpPageReceiver(target.region, PAGES, target.table, events, farUdp);
      this.#receiver.begin(1, applier);
      return;
    }
    const { encoder } = new SourcePipeline(memory, table, PLAIN, null);
    this.#sender = new PageSender(region, table, this.#near, [this.#link], [NOTHING], encoder);
    this.#receiver = new PageReceiver(target.region, PAGES, target.table, events);
    this.#receiver.begin(1, applier);
    this.#receiver.addStream(far, 0);
  }
}

function streamEnds(polls: PollSet): Ends {
  const links = new SocketPairLinks(polls);
  return [links, links];
}

function datagramEnds(polls: PollSet, sealed: boolean): Ends {
  const [near, far] = KernelWire.pair(polls, MTU);
  return [new UdpLinks(near, { sealed }), new UdpLinks(far, { sealed })];
}
