/**
 * Both machines on a virtual clock that jumps to the next instant at which anything happens: a link with delay and
 * rate, real control bytes through the codec, guests that write memory and get numbered frames, records that
 * survive, and faults at any message.
 *
 *   frames ─► port a ─► guest a        guest b ◄─ port b ◄─ frames (flooded, or after the announcement)
 *                │ SourceEvents           ▲ DestinationEvents
 *             source ══ messages, pages ══ destination
 *
 * Memory is an array of page versions, and `truth` is what a guest that never moved would hold. Everything is
 * checked at every instant: two running copies throw. A guest that touches a missing page at b stands until it has come.
 */
import * as assert from 'uvu/assert';
import { type Machine, PageSet, Rng, TimeHeap, WOKE } from '../../src/core/index.js';
import {
  answerAsk,
  type ConvergencePolicy,
  Destination,
  type DestinationAction,
  type DestinationEvent,
  encodeMessage,
  type Hash64,
  type Message,
  MessageReader,
  type MigrationMode,
  PushOrder,
  predictivePolicy,
  SetHash,
  Source,
  type SourceAction,
  type SourceEvent,
} from '../../src/vmotion-protocol/index.js';
import { frameOf, summary } from './script.js';

const US = 1000;
const MS = 1_000_000;
const ID = '0123456789abcdef0123456789abcdef';
const STORE_A = 'aa'.repeat(16);
export const STORE_B = 'bb'.repeat(16);
/** How long a local step takes: a record, a harvest, a start. */
const LOCAL_NS = 10 * US;
/** A cut is noticed so much later. */
const NOTICE_NS = 2 * MS;
/** A destination waits no longer for its source: virtual time costs real time too. */
const ABSENT_NS = 200 * MS;

export type Side = 'a' | 'b';

export interface PairOptions {
  readonly seed: string;
  readonly pages?: number;
  readonly oneWayNs?: number;
  /** Transfer time of a page. */
  readonly pageNs?: number;
  /** Pages the guest writes in a millisecond. */
  readonly writesPerMs?: number;
  readonly policy?: ConvergencePolicy;
  readonly mode?: MigrationMode;
  /** The connection is cut when this message is sent (from 0, both directions counted): it is the first one lost. */
  readonly cutAt?: number;
  /** The link is whole again so long after the cut was noticed. Default: never. */
  readonly healAfterNs?: number;
  /** This message is lost, and nobody is told. */
  readonly dropAt?: number;
  /** This host dies when this message is sent. */
  readonly crash?: { readonly side: Side; readonly at: number };
  /** One byte of one page changes on its way, in the final flight or in an earlier round. */
  readonly corrupt?: 'final' | 'round';
  /** Records that cannot be written. */
  readonly failRecords?: readonly string[];
  readonly cancelAtNs?: number;
  /** Frames for the guest per millisecond; every fourth is flooded to both ports. */
  readonly framesPerMs?: number;
}

interface Host {
  running: boolean;
  alive: boolean;
  memory: Uint32Array;
  readonly frames: number[];
  readonly records: string[];
  readonly reader: MessageReader;
}

interface Outcome {
  readonly outcome: string;
  readonly code: string;
}

export class Pair {
  readonly source: Source;
  readonly destination: Destination;
  readonly pages: number;
  readonly truth: Uint32Array;
  readonly a: Host;
  readonly b: Host;
  readonly sourceOutcomes: Outcome[] = [];
  readonly destinationOutcomes: Outcome[] = [];
  readonly trace: string[] = [];
  nowNs = 0;
  /** Messages sent, both directions. */
  messages = 0;
  sentTypes: string[] = [];
  framesSent = 0;
  announced = false;
  pauseNs = 0;
  released = false;
  hashesMatched = 0;
  /** Pages that the destination lacks; none before FINAL. */
  readonly missing: PageSet;
  /** Pages sent by serving, over all links; and those that had come to b when they were sent. */
  served = 0;
  servedTwice = 0;
  stalledTicks = 0;
  /** Pages that had come of a broken round and were sent again all the same. */
  sentAgain = 0;

  readonly #o: PairOptions;
  readonly #rng: Rng;
  readonly #heap = new TimeHeap<() => void>();
  readonly #dirty: PageSet;
  readonly #hashA: SetHash = new SetHash();
  readonly #hashB: SetHash = new SetHash();
  readonly #sentVersions: Uint32Array;
  readonly #oneWayNs: number;
  #tracking = false;
  #pauseCalledNs = 0;
  #connected = true;
  /** Counts connections: what was under way on an earlier one does not arrive. */
  #connection = 0;
  /** What came to b of the last round of which anything came. */
  readonly #came: PageSet;
  #cameRound = 0;
  #takenUpRound = 0;
  #linkFreeNs = [0, 0];
  #forwarding = false;
  #portA: Uint8Array[] = [];
  #armed = false;
  #direct = false;
  #work = 0;
  readonly #known: PageSet;
  /** Versions as they were placed at b, before its guest could write them. */
  readonly #placed: Uint32Array;
  #order: PushOrder | null = null;
  #serving = 0;
  #stalledAt = -1;

  constructor(o: PairOptions) {
    this.#o = o;
    this.#rng = new Rng(o.seed);
    this.pages = o.pages ?? 200;
    this.#oneWayNs = o.oneWayNs ?? 400 * US;
    const host = (running: boolean): Host => ({
      running,
      alive: true,
      memory: new Uint32Array(this.pages),
      frames: [],
      records: [],
      reader: new MessageReader(),
    });
    this.a = host(true);
    this.b = host(false);
    this.truth = new Uint32Array(this.pages);
    const content = this.#rng.fork('memory');
    for (let p = 0; p < this.pages; p++) this.truth[p] = this.a.memory[p] = content.below(1000);
    this.#dirty = new PageSet(this.pages);
    this.missing = new PageSet(this.pages);
    this.#known = new PageSet(this.pages);
    this.#came = new PageSet(this.pages);
    this.#placed = new Uint32Array(this.pages);
    this.#sentVersions = new Uint32Array(this.pages).fill(0xffffffff);
    this.source = new Source({
      migrationId: ID,
      guest: 'web-1',
      epoch: 1,
      pages: this.pages,
      streams: 2,
      storeId: STORE_A,
      mode: o.mode ?? 'pre-copy',
      policy: o.policy ?? predictivePolicy({ targetPauseNs: 2 * MS }),
    });
    this.destination = new Destination({
      guest: 'web-1',
      pages: this.pages,
      storeId: STORE_B,
      timers: { absentNs: ABSENT_NS },
    });
    this.#tick();
    if (o.framesPerMs) this.#nextFrame(o.framesPerMs);
    if (o.cancelAtNs !== undefined)
      this.#at(o.cancelAtNs, () => this.#toSource({ type: 'cancel', text: 'test' }));
    this.#at(MS, () => this.#toSource({ type: 'start' }));
  }

  /** Runs until both machines have finished and `extraNs` more have passed. */
  run(extraNs = 50 * MS): this {
    const limitNs = 200_000 * MS;
    let endNs = limitNs;
    while (this.nowNs < Math.min(endNs, limitNs)) {
      const wakeA = this.a.alive ? this.source.nextWakeNs() : Infinity;
      const wakeB = this.b.alive ? this.destination.nextWakeNs() : Infinity;
      const nextNs = Math.min(this.#heap.peekTimeNs(), wakeA, wakeB, endNs);
      assert.ok(nextNs >= this.nowNs, 'time does not run backwards');
      this.nowNs = nextNs;
      if (this.#heap.peekTimeNs() <= nextNs) this.#heap.pop()!();
      else if (wakeA <= nextNs) this.#spinFree(this.source, () => this.#toSource(WOKE));
      else if (wakeB <= nextNs) this.#spinFree(this.destination, () => this.#toDestination(WOKE));
      if (endNs === limitNs && this.#bothDone()) endNs = this.nowNs + extraNs;
    }
    return this;
  }

  /** An in-doubt source asks over a new connection, as `resolve` does; both hosts must live. */
  resolve(): this {
    return this.reconnect();
  }

  /** The link is whole again while pages are missing; the driver opens it and says so to both. */
  reconnect(): this {
    this.#reconnect();
    return this.run();
  }

  #reconnect(): void {
    this.#connected = true;
    this.#connection++;
    this.#toDestination({ type: 'reconnected' });
    this.#toSource({ type: 'reconnected' });
  }

  get sourceOutcome(): string {
    return this.sourceOutcomes[this.sourceOutcomes.length - 1]?.outcome ?? 'none';
  }

  #bothDone(): boolean {
    const a = !this.a.alive || this.sourceOutcomes.length > 0;
    const b = !this.b.alive || this.destinationOutcomes.length > 0 || this.destination.phase === 'idle';
    if (a && b) return true;
    // Without a link, or without the other host, post-copy waits for ever, or for long.
    const cut = !this.#connected || !this.a.alive || !this.b.alive;
    const dead = !this.a.alive || !this.b.alive;
    if (!dead && this.#o.healAfterNs !== undefined) return false;
    const { phase } = this.destination;
    const waits = ['serving', 'reconnecting', 'proving', 'in-doubt'].includes(this.source.phase);
    return cut && (a || waits) && (b || ['receiving', 'filling', 'running'].includes(phase));
  }

  /** A wake-up must not ask to be woken at once again. */
  #spinFree<E, A>(machine: Machine<E, A>, wake: () => void): void {
    wake();
    assert.ok(machine.nextWakeNs() > this.nowNs, 'a wake-up that changes nothing would spin');
  }

  #at(atNs: number, body: () => void): void {
    this.#heap.push(atNs, body);
  }

  #later(afterNs: number, side: Side, body: () => void): void {
    this.#at(this.nowNs + afterNs, () => {
      if (this[side].alive) body();
    });
  }

  /** The guest's own work: writes pages wherever it runs, and never in two places. */
  #tick(): void {
    assert.not.ok(this.a.running && this.b.running, `two copies run at ${this.nowNs} ns`);
    const writes = (this.#o.writesPerMs ?? 20) / 10;
    const host = this.a.running ? this.a : this.b.running ? this.b : null;
    this.#work += writes;
    for (; this.#work >= 1; this.#work--) {
      const hot = this.#rng.chance(0.7);
      const pfn = this.#rng.below(hot ? Math.min(20, this.pages) : this.pages);
      if (host === null || this.#stands(host, pfn)) continue;
      host.memory[pfn] = host.memory[pfn]! + 1;
      this.truth[pfn] = this.truth[pfn]! + 1;
      if (host === this.a && this.#tracking) this.#dirty.add(pfn);
    }
    this.#at(this.nowNs + 100 * US, () => this.#tick());
  }

  /** Whether the guest at b stands at a page that is missing, this one or one before. */
  #stands(host: Host, pfn: number): boolean {
    if (host === this.a) return false;
    if (this.#stalledAt < 0 && this.missing.has(pfn)) {
      this.#stalledAt = pfn;
      if (this.#connected) this.#later(this.#oneWayNs, 'a', () => this.#demanded(pfn));
    }
    if (this.#stalledAt >= 0) this.stalledTicks++;
    return this.#stalledAt >= 0;
  }

  // ── frames ──────────────────────────────────────────────────────────────────────────────────────

  #nextFrame(perMs: number): void {
    const n = ++this.framesSent;
    const flooded = n % 4 === 0;
    if (!this.announced || flooded) this.#frameAtA(n);
    if (this.announced || flooded) this.#frameAtB(n);
    this.#at(this.nowNs + Math.round(MS / perMs), () => this.#nextFrame(perMs));
  }

  #frameAtA(n: number): void {
    if (!this.a.alive) return;
    if (this.a.running) this.a.frames.push(n);
    else if (this.#forwarding) this.#toSource({ type: 'late-frame', bytes: frameOf(n) });
    else if (!this.released) this.#portA.push(frameOf(n)); // waits in the port until somebody reads it
  }

  #frameAtB(n: number): void {
    if (!this.b.alive || !this.#armed) return;
    if (this.#direct) this.b.frames.push(n);
    else this.#toDestination({ type: 'nic-frame', bytes: frameOf(n) });
  }

  // ── the link ────────────────────────────────────────────────────────────────────────────────────

  #send(from: Side, message: Message): void {
    const n = this.messages++;
    this.sentTypes.push(message.type);
    if (this.#o.crash?.at === n) this.#crash(this.#o.crash.side);
    if (this.#o.cutAt === n) this.#cut();
    if (!this.#connected || this.#o.dropAt === n || !this[from].alive) return;
    const to: Side = from === 'a' ? 'b' : 'a';
    const bytes = encodeMessage(message);
    const lane = from === 'a' ? 0 : 1;
    // One ordered stream: a message never overtakes an earlier one.
    const arriveNs = Math.max(this.nowNs + this.#oneWayNs, this.#linkFreeNs[lane]!);
    this.#linkFreeNs[lane] = arriveNs;
    const connection = this.#connection;
    this.#at(arriveNs, () => {
      if (!this[to].alive || connection !== this.#connection) return;
      const { reader } = this[to];
      reader.push(bytes);
      for (let d = reader.next(); d !== null; d = reader.next()) {
        assert.ok(d.ok, d.ok ? '' : d.text);
        if (!d.ok) continue;
        this.trace.push(`${this.nowNs} ${to} got ${d.message.type}`);
        if (to === 'a') this.#gotAtA(d.message);
        else this.#gotAtB(d.message);
      }
    });
  }

  #gotAtA(m: Message): void {
    if (m.type === 'hashes') {
      const view = new DataView(m.hashes.buffer);
      for (let i = 0; i * 8 < m.hashes.length; i++) {
        const h = pageHash(m.firstPfn + i, this.a.memory[m.firstPfn + i]!);
        if (view.getUint32(i * 8, true) === h.lo && view.getUint32(i * 8 + 4, true) === h.hi)
          this.hashesMatched++;
      }
    }
    this.#toSource({ type: 'received', message: m });
  }

  /** An ASK to a host whose machine has gone is answered by the host, from its records. */
  #gotAtB(m: Message): void {
    if (m.type !== 'ask' || !['idle', 'over'].includes(this.destination.phase))
      return this.#toDestination({ type: 'received', message: m });
    const known = this.b.records.includes('RUNNING')
      ? 'RUNNING'
      : this.b.records.includes('NEVER')
        ? 'NEVER'
        : null;
    const verdict = answerAsk(m, { storeId: STORE_B, decision: known, live: false });
    if (verdict === 'record-never') this.b.records.push('NEVER');
    this.#send('b', {
      type: 'answer',
      migrationId: m.migrationId,
      verdict: verdict === 'record-never' ? 'never' : verdict,
    });
  }

  #cut(): void {
    this.#connected = false;
    this.trace.push(`${this.nowNs} cut`);
    this.#later(NOTICE_NS, 'a', () => this.#toSource({ type: 'connection-lost', text: 'cut' }));
    this.#later(NOTICE_NS, 'b', () => this.#toDestination({ type: 'connection-lost', text: 'cut' }));
    const { healAfterNs } = this.#o;
    if (healAfterNs === undefined || !this.a.alive || !this.b.alive) return;
    this.#at(this.nowNs + NOTICE_NS + healAfterNs, () => this.#reconnect());
  }

  #crash(side: Side): void {
    this[side].alive = false;
    this[side].running = false;
    this.#cut();
  }

  // ── the source's driver ─────────────────────────────────────────────────────────────────────────

  #toSource(event: SourceEvent): void {
    if (!this.a.alive) return;
    const out: SourceAction[] = [];
    this.source.step(this.nowNs, event, out);
    for (const action of out) {
      if (action.type !== 'report') this.trace.push(`${this.nowNs} a ${summary(action)}`);
      this.#sourceDoes(action);
    }
  }

  #sourceDoes(action: SourceAction): void {
    switch (action.type) {
      case 'send':
        return this.#send('a', action.message);
      case 'harvest':
        return this.#later(LOCAL_NS, 'a', () => {
          this.#tracking = true;
          const dirty = this.#dirty.clone();
          this.#dirty.clear();
          this.#toSource({ type: 'harvested', dirty, dirtyPages: dirty.count() });
        });
      case 'send-pages':
        this.#forget(action.missing);
        return this.#sendPages(action.round, action.pages, action.final);
      case 'serve-pages':
        this.#order = new PushOrder(action.pages, action.hot);
        return this.#push(++this.#serving);
      case 'slow-guest':
        return;
      case 'pause-guest':
        this.#pauseCalledNs = this.nowNs;
        return this.#later(LOCAL_NS, 'a', () => {
          if (this.source.phase !== 'pausing') return;
          this.a.running = false;
          this.#toSource({ type: 'guest-paused' });
        });
      case 'save-state':
        return this.#later(LOCAL_NS, 'a', () => {
          const state = Uint8Array.of(1, 2, 3, 4);
          this.#toSource({ type: 'state-saved', state, stateHash: stateHash(state) });
        });
      case 'resume-guest':
        this.#order = null;
        assert.not.ok(this.b.running, 'the source resumes while the destination runs');
        assert.not.ok(
          this.b.records.includes('RUNNING') && this.b.alive,
          'the destination has decided RUNNING',
        );
        this.a.running = true;
        this.#forwarding = false;
        for (const f of this.#portA.splice(0)) this.a.frames.push(f[6]! | (f[7]! << 8));
        return;
      case 'deliver-late-frames':
        for (const f of action.frames) this.a.frames.push(f[6]! | (f[7]! << 8));
        return;
      case 'record':
        return this.#record('a', action.record, (ok) =>
          this.#toSource(
            ok
              ? { type: 'recorded', record: action.record }
              : { type: 'record-failed', record: action.record, text: 'test' },
          ),
        );
      case 'forward-late-frames':
        this.#forwarding = true;
        for (const bytes of this.#portA.splice(0)) this.#toSource({ type: 'late-frame', bytes });
        return;
      case 'release-guest':
        this.released = true;
        return;
      case 'finished':
        this.sourceOutcomes.push(action);
        if (action.outcome !== 'in-doubt') this.#forwarding = false;
        return;
      case 'report':
        return;
    }
  }

  /** Missing pages leave the source's set-hash. */
  #forget(missing: PageSet | null): void {
    for (let p = missing?.next(0) ?? -1; p >= 0; p = missing!.next(p + 1)) {
      const old = this.#sentVersions[p]!;
      if (old !== 0xffffffff) this.#hashA.remove(p, pageHash(p, old).lo, pageHash(p, old).hi);
      this.#sentVersions[p] = 0xffffffff;
    }
  }

  #demanded(pfn: number): void {
    if (this.#connected && this.#order?.demand(pfn)) this.#sendServed(pfn);
  }

  /** One page after the other, as long as the link stands and nobody began anew. */
  #push(serving: number): void {
    this.#later(this.#o.pageNs ?? 4096, 'a', () => {
      if (serving !== this.#serving || !this.#connected || !this.#order?.takeRun(1)) return;
      this.#sendServed(this.#order.pfn);
      this.#push(serving);
    });
  }

  #sendServed(pfn: number): void {
    const version = this.a.memory[pfn]!;
    this.served++;
    if (this.released) throw new Error('a page is served from memory that was released');
    const connection = this.#connection;
    this.#later(this.#oneWayNs, 'b', () => {
      if (!this.#connected || connection !== this.#connection) return;
      if (!this.missing.has(pfn)) {
        this.servedTwice++;
        return;
      }
      this.missing.delete(pfn);
      this.b.memory[pfn] = this.#placed[pfn] = version;
      if (this.#stalledAt === pfn) this.#stalledAt = -1;
      if (this.missing.next(0) < 0) this.#toDestination({ type: 'all-present' });
    });
  }

  #sendPages(round: number, pages: PageSet, final: boolean): void {
    const pfns: number[] = [];
    const versions: number[] = [];
    for (let p = pages.next(0); p >= 0; p = pages.next(p + 1)) {
      const version = this.a.memory[p]!;
      const old = this.#sentVersions[p]!;
      const h = pageHash(p, version);
      if (old === 0xffffffff) this.#hashA.add(p, h.lo, h.hi);
      else this.#hashA.replace(p, pageHash(p, old).lo, pageHash(p, old).hi, h.lo, h.hi);
      this.#sentVersions[p] = version;
      pfns.push(p);
      versions.push(version);
    }
    const corrupt = this.#o.corrupt === (final ? 'final' : 'round') && pfns.length > 0;
    if (corrupt) versions[0] = versions[0]! ^ 0x80000000;
    // Only of the round just before, which is the broken one: what came earlier was written since.
    if (round === this.#takenUpRound && this.#cameRound === round - 1)
      for (const p of pfns) if (this.#came.has(p)) this.sentAgain++;
    const pageNs = this.#o.pageNs ?? 4096;
    const connection = this.#connected ? this.#connection : -1;
    const arrives = (i: number, what: () => void): void =>
      this.#later(i * pageNs + this.#oneWayNs, 'b', () => {
        if (this.#connected && connection === this.#connection) what();
      });
    this.#later(pfns.length * pageNs, 'a', () => {
      this.#toSource({
        type: 'round-sent',
        round,
        pages: pfns.length,
        zeroPages: 0,
        bytes: pfns.length * 4096,
        setHash: this.#hashA.value(),
      });
    });
    pfns.forEach((p, i) => {
      arrives(i + 1, () => this.#pageCame(round, p, versions[i]!));
    });
    arrives(pfns.length, () => {
      this.#cameOf(round);
      this.#toDestination({ type: 'round-applied', round, pages: pfns.length });
    });
  }

  #cameOf(round: number): void {
    if (round > this.#cameRound) this.#came.clear();
    this.#cameRound = round;
  }

  #pageCame(round: number, p: number, version: number): void {
    this.#cameOf(round);
    this.#came.add(p);
    const old = pageHash(p, this.b.memory[p]!);
    const h = pageHash(p, version);
    if (!this.#known.has(p)) this.#hashB.add(p, h.lo, h.hi);
    else this.#hashB.replace(p, old.lo, old.hi, h.lo, h.hi);
    this.#known.add(p);
    this.b.memory[p] = this.#placed[p] = version;
  }

  // ── the destination's driver ────────────────────────────────────────────────────────────────────

  #toDestination(event: DestinationEvent): void {
    if (!this.b.alive) return;
    const out: DestinationAction[] = [];
    this.destination.step(this.nowNs, event, out);
    for (const action of out) {
      if (action.type !== 'report') this.trace.push(`${this.nowNs} b ${summary(action)}`);
      this.#destinationDoes(action);
    }
  }

  #destinationDoes(action: DestinationAction): void {
    switch (action.type) {
      case 'send':
        return this.#send('b', action.message);
      case 'prepare':
        return this.#later(LOCAL_NS, 'b', () => this.#toDestination({ type: 'prepared' }));
      case 'arm':
        this.#drop(action.left);
        return this.#later(LOCAL_NS, 'b', () => {
          this.#armed = true;
          this.#toDestination({ type: 'armed' });
        });
      case 'verify':
        this.#drop(action.missing);
        this.missing.union(action.missing);
        return this.#later(LOCAL_NS, 'b', () => {
          const s = stateHash(action.state);
          const ok = this.#hashB.equals(action.setHash) && s.lo === action.stateHash.lo;
          this.#toDestination({ type: 'verified', ok, text: 'the memory differs' });
        });
      case 'load-state':
        return this.#later(LOCAL_NS, 'b', () => this.#toDestination({ type: 'state-loaded' }));
      case 'record':
        return this.#record('b', action.record, (ok) =>
          this.#toDestination(
            ok
              ? { type: 'recorded', record: action.record }
              : { type: 'record-failed', record: action.record, text: 'test' },
          ),
        );
      case 'start-guest':
        return this.#later(LOCAL_NS, 'b', () => {
          assert.ok(
            this.b.records.includes('RUNNING') && !this.b.records.includes('NEVER'),
            'RUNNING is on record',
          );
          for (let p = 0; p < this.pages; p++)
            if (!this.missing.has(p)) assert.is(this.b.memory[p], this.truth[p], `page ${p} is as it was`);
          this.b.running = true;
          this.pauseNs = this.nowNs - this.#pauseCalledNs;
          this.#toDestination({ type: 'guest-started', atNs: this.nowNs });
        });
      case 'announce':
        this.announced = true;
        return;
      case 'inject-frame':
        this.b.frames.push(action.bytes[6]! | (action.bytes[7]! << 8));
        return;
      case 'nic-direct':
        this.#direct = true;
        return;
      case 'send-hashes':
        return this.#sendHashes();
      case 'tell-missing':
        return this.#tellMissing();
      case 'take-up':
        this.#takenUpRound = action.round;
        if (!action.final) this.#armed = this.destination.phase === 'filling';
        return;
      case 'discard':
        this.missing.clear();
        this.#armed = false;
        return;
      case 'finished':
        this.destinationOutcomes.push(action);
        return;
      case 'forget-records':
      case 'report':
        return;
    }
  }

  #tellMissing(): void {
    const filling = this.destination.phase === 'filling';
    const missing = filling ? this.missing.clone() : PageSet.full(this.pages);
    if (!filling) missing.subtract(this.#came);
    this.#toDestination({ type: 'missing-told', round: this.#cameRound, missing });
  }

  /** What the destination has of these pages goes, out of its set-hash too. */
  #drop(pages: PageSet): void {
    for (let p = pages.next(0); p >= 0; p = pages.next(p + 1)) {
      if (!this.#known.has(p)) continue;
      this.#known.delete(p);
      const old = pageHash(p, this.b.memory[p]!);
      this.#hashB.remove(p, old.lo, old.hi);
      this.b.memory[p] = 0xdead;
    }
  }

  /** As they were placed: the guest may have written them since. */
  #sendHashes(): void {
    const bytes = new Uint8Array(this.pages * 8);
    const view = new DataView(bytes.buffer);
    for (let p = 0; p < this.pages; p++) {
      const h = pageHash(p, this.#placed[p]!);
      view.setUint32(p * 8, h.lo, true);
      view.setUint32(p * 8 + 4, h.hi, true);
    }
    const half = Math.ceil(this.pages / 2);
    this.#send('b', { type: 'hashes', firstPfn: 0, hashes: bytes.slice(0, half * 8) });
    this.#send('b', { type: 'hashes', firstPfn: half, hashes: bytes.slice(half * 8) });
  }

  #record(side: Side, record: string, said: (ok: boolean) => void): void {
    this.#later(LOCAL_NS, side, () => {
      const ok = !this.#o.failRecords?.includes(record);
      if (ok) {
        assert.not.ok(this[side].records.includes(record), `${record} is recorded once`);
        this[side].records.push(record);
      }
      said(ok);
    });
  }
}

function pageHash(pfn: number, version: number): Hash64 {
  const x = Math.imul(version ^ 0x5bd1e995, 0x9e3779b1) ^ pfn;
  return { lo: Math.imul(x ^ (x >>> 15), 0x85ebca6b) >>> 0, hi: Math.imul(x ^ (x >>> 13), 0xc2b2ae35) >>> 0 };
}

function stateHash(state: Uint8Array): Hash64 {
  let h = 0x811c9dc5;
  for (const b of state) h = Math.imul(h ^ b, 0x01000193);
  return { lo: h >>> 0, hi: 0 };
}
