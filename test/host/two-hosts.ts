/**
 * Two real hosts in one namespace, and somebody between them: every connection that one opens to the other runs through
 * the test, which may record, change and add bytes, and connect to either host itself.
 *
 *   host a 127.0.0.1 ──► 127.0.0.3 ─┐           ┌─ 127.0.0.4 ◄── host b 127.0.0.2
 *                                   └─► test ◄──┘
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import {
  decodeRecords,
  HOST_PROCESS,
  type HostReport,
  type HostRequest,
  newRunKey,
  type RecordKind,
  type SourceReport,
} from '../../src/host/index.js';
import { openNioUdpPair } from '../../src/l2/ports/index.js';
import { Child, inheritedFd } from '../../src/lab/child.js';
import { bringUp, closeFd, createNetns, inNetns, nowNs, PollSet } from '../../src/sys/index.js';
import {
  Chain,
  type Link,
  newRegion,
  type Region,
  TcpLinks,
} from '../../src/vmotion-protocol/transport/index.js';

export type Site = 'a' | 'b';
const PORT = 8000;
const LOOPBACK = 0x7f000000;
/** Last bytes of the addresses: the hosts', and those at which the test stands in for each one's peer. */
const HOST = { a: 1, b: 2 } as const;
const MIDDLE = { a: 3, b: 4 } as const;
const STRANGER = 9;
const MEMORY_BYTES = 2 ** 20;
const CHUNK_BYTES = 65_536;
const TURN_NS = 1_000_000;

/** One direction of a connection, on its way through the test. */
export interface Passage {
  /** Number of the connection since the hosts began, and whether its bytes go to whoever accepted it. */
  readonly connection: number;
  readonly opener: Site;
  readonly there: boolean;
  /** Bytes that have passed. */
  passed: number;
}

interface Pipe extends Passage {
  readonly from: Link;
  readonly to: Link;
  readonly region: Region;
  readonly chain: Chain;
}

export class TwoHosts {
  /** Sees each chunk on its way; may change it in place, or give other bytes to be sent in its stead. */
  tamper: (chunk: Uint8Array, on: Passage) => Uint8Array | null = () => null;
  readonly #dir = mkdtempSync(join(tmpdir(), 'two-hosts-'));
  readonly #netnsFd = createNetns();
  readonly #polls = new PollSet(256);
  readonly #hosts = {} as Record<Site, Child<HostRequest, HostReport>>;
  readonly #middles = {} as Record<Site, TcpLinks>;
  readonly #nics: number[] = [];
  #pipes: Pipe[] = [];
  #connections = 0;
  #epoch = 0;
  #ended = false;
  #pumping: Promise<void> | null = null;

  async begin(runKey: Uint8Array | null = newRunKey()): Promise<void> {
    inNetns(this.#netnsFd, () => bringUp('lo'));
    for (const site of ['a', 'b'] as const) {
      const peer = this.address(HOST[site === 'a' ? 'b' : 'a']);
      this.#middles[site] = inNetns(
        this.#netnsFd,
        () => new TcpLinks(this.#polls, this.address(MIDDLE[site]), peer),
      );
    }
    this.#pumping = this.#pump();
    await Promise.all((['a', 'b'] as const).map((site) => this.#start(site, runKey)));
    this.#hosts.a.send({ type: 'start-guest' });
  }

  /** Connections between the hosts so far: the number of the next one. */
  get connections(): number {
    return this.#connections;
  }

  /** Moves the guest. @returns what the source says when its part is over */
  async move(from: Site): Promise<SourceReport> {
    const migrationId = Buffer.from(newRunKey().subarray(0, 16)).toString('hex');
    const orders = {
      migrationId,
      epoch: ++this.#epoch,
      streams: 1,
      mode: 'pre-copy',
      slowGuest: false,
      pauseTargetNs: 1e9,
      maxRounds: 4,
      limitNs: 20e9,
      verify: true,
      holdNs: 0,
      pipeline: { compress: 'auto', delta: 'auto', dedup: 'auto', linkRateBps: null },
      corruptPfn: null,
      hiddenPfn: null,
    } as const;
    return (await this.#hosts[from].ask({ type: 'migrate', orders }, 'source-finished')).report;
  }

  /** What has been turned away at a host, by code. */
  async refused(site: Site): Promise<Readonly<Record<string, number>>> {
    return (await this.#hosts[site].ask({ type: 'refusals' }, 'refusals')).counts ?? {};
  }

  /** What a host has on record of the move under way, or of the last one. */
  records(site: Site): RecordKind[] {
    return decodeRecords(readFileSync(this.#recordsOf(site)))
      .filter((r) => r.epoch === this.#epoch)
      .map((r) => r.kind);
  }

  /** A connection of a third party to a host; the bytes leave as room comes, what is answered is counted. */
  knock(site: Site, bytes: Uint8Array): { heard: number; over: boolean } {
    const far = new PollSet(4);
    const links = inNetns(
      this.#netnsFd,
      () => new TcpLinks(far, this.address(STRANGER + this.#strangers.length), this.address(HOST[site])),
    );
    const link = inNetns(this.#netnsFd, () => links.connect());
    const region = newRegion(bytes.length);
    region.bytes.set(bytes);
    const out = new Chain();
    out.push(region, 0, bytes.length);
    const answer = { heard: 0, over: false };
    this.#strangers.push(() => {
      if (answer.over) return;
      const into = new Chain();
      into.push(newRegion(4096), 0, 4096);
      const n = link.send(out) ? link.receive(into) : -1;
      if (n > 0) answer.heard += n;
      if (n < 0) answer.over = true;
    });
    return answer;
  }
  readonly #strangers: (() => void)[] = [];

  async end(): Promise<void> {
    await Promise.all(Object.values(this.#hosts).map((h) => h.end({ type: 'end' })));
    this.#ended = true;
    await this.#pumping;
    for (const fd of [...this.#nics, this.#netnsFd]) closeFd(fd);
    rmSync(this.#dir, { recursive: true, force: true });
  }

  address(last: number): { ip: number; port: number } {
    return { ip: LOOPBACK + last, port: PORT };
  }

  #recordsOf(site: Site): string {
    return join(this.#dir, `host-${site}.records`);
  }

  async #start(site: Site, runKey: Uint8Array | null): Promise<void> {
    const nic = openNioUdpPair(2 ** 20);
    this.#nics.push(nic.fabricFd);
    const fds = [nic.farFd, this.#netnsFd];
    const host = new Child<HostRequest, HostReport>({
      name: `host ${site}`,
      file: HOST_PROCESS,
      netnsFd: null,
      fds,
    });
    this.#hosts[site] = host;
    closeFd(nic.farFd);
    const dirty = { model: 'uniform', pagesPerS: 1000, firstPage: 0, pages: 64 } as const;
    const orders = {
      site,
      vmk: { kind: 'kernel', netnsFd: inheritedFd(1), mtu: 1500 },
      transport: { kind: 'tcp', congestion: null, rateBps: null },
      vmkIp: LOOPBACK + HOST[site],
      peerIp: LOOPBACK + MIDDLE[site],
      vmotionPort: PORT,
      nicFd: inheritedFd(0),
      nicFabricPort: nic.fabricPort,
      recordsPath: this.#recordsOf(site),
      memoryFile: null,
      again: false,
      runKey,
      durable: 'process',
      boots: site === 'a',
      guest: {
        kind: 'workload',
        name: 'guest',
        memoryBytes: MEMORY_BYTES,
        mac: 0x024c48000010,
        ip: 0x0a50000a,
        fill: 'random',
        seed: 1,
        dirty,
      },
    } as const;
    await host.ask({ type: 'begin', orders }, 'ready');
  }

  /** Carries bytes both ways until the end; sleeps a millisecond at a time, so that the children's words are heard. */
  async #pump(): Promise<void> {
    while (!this.#ended) {
      this.#polls.wait(TURN_NS);
      for (const site of ['a', 'b'] as const) {
        const middle = this.#middles[site];
        middle.takeIn(nowNs());
        for (let from = middle.accept(); from !== null; from = middle.accept()) this.#join(site, from);
      }
      this.#pipes = this.#pipes.filter((pipe) => this.#carry(pipe));
      for (const stranger of this.#strangers) stranger();
      await turn();
    }
  }

  #join(opener: Site, near: Link): void {
    const far = inNetns(this.#netnsFd, () => this.#middles[opener].connect());
    const connection = this.#connections++;
    const pipe = (from: Link, to: Link, there: boolean): Pipe => {
      return {
        connection,
        opener,
        there,
        passed: 0,
        from,
        to,
        region: newRegion(2 * CHUNK_BYTES),
        chain: new Chain(),
      };
    };
    this.#pipes.push(pipe(near, far, true), pipe(far, near, false));
  }

  /** @returns false when this direction is over */
  #carry(pipe: Pipe): boolean {
    const { from, to, region, chain } = pipe;
    if (chain.bytes === 0) {
      const arriving = new Chain();
      arriving.push(region, 0, CHUNK_BYTES);
      const n = from.receive(arriving);
      if (n < 0) {
        to.close();
        return false;
      }
      if (n === 0) return true;
      const sent = this.tamper(region.bytes.subarray(0, n), pipe);
      if (sent !== null) region.bytes.set(sent);
      chain.clear();
      chain.push(region, 0, sent?.length ?? n);
      pipe.passed += n;
    }
    return to.send(chain);
  }
}
