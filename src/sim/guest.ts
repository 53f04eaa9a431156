/**
 * A host's place for the guest: its memory, its dirty log, its virtual CPU and its network stack, in virtual time.
 *
 *   frames ─► station ─► service ─┐                            missing page? stand, fault, go on when it has come
 *                                 ├─► writes ─► memory, dirty log, truth
 *   time   ─► dirty model ────────┘
 *
 * The workload, the service and the station are those of the real guest. What it wrote since somebody last looked is made up
 * when somebody looks: at a harvest, a read, a frame, a pause; while pages are missing its driver looks often.
 */
import { PageSet, type Rng } from '../core/index.js';
import {
  DirtyModel,
  type DirtyOptions,
  type FillKind,
  GuestHeader,
  type GuestLayout,
  layoutOf,
  REQUEST_SIZE,
  RESPONSE_SIZE,
  RequestMessage,
  SERVICE_PORT,
  Service,
} from '../guest/index.js';
import { EndStation, type StationAction } from '../l2/index.js';
import { nameOf, SimMemory } from './memory.js';
import type { Truth } from './truth.js';

export interface GuestSpec {
  readonly pages: number;
  readonly fill: FillKind;
  readonly dirty: DirtyOptions;
  readonly mac: number;
  readonly ip: number;
}

/** What the guest does to its surroundings. */
export interface GuestOutputs {
  /** By its NIC. */
  send(bytes: Uint8Array): void;
  /** It stands at a page that is not there. */
  fault(pfn: number): void;
  /** A request to its service has reached it. */
  requested(client: number, seq: number): void;
}

/** Between two looks at the time a real guest writes for so long (guest/memory/guest-loop.ts). */
const TICK_NS = 500_000;
/** The guest's stall is reported for this long after its start. */
const BLOCKED_WINDOW_NS = 100_000_000;
const GUEST_MTU = 1500;
const BOOT_ID_BYTES = 16;
const HEADER_PFN = 0;

export class SimGuest {
  readonly memory: SimMemory;
  readonly dirty: PageSet;
  /** Pages that are not there yet; none in pre-copy. */
  readonly missing: PageSet;
  /** Share of its time that it may run, 0..1. */
  share = 1;
  isTracking = false;
  /** Time that it stood at missing pages, in the first 100 ms since it started. */
  blockedNs = 0;
  faults = 0;
  readonly #spec: GuestSpec;
  readonly #layout: GuestLayout;
  readonly #truth: Truth;
  readonly #out: GuestOutputs;
  readonly #header: GuestHeader;
  readonly #model: DirtyModel;
  readonly #service: Service;
  readonly #station: EndStation;
  readonly #actions: StationAction[] = [];
  readonly #request = new RequestMessage();
  readonly #response = new Uint8Array(RESPONSE_SIZE);
  #inbox: Uint8Array[] = [];
  #running = false;
  #lastNs = 0;
  #stalledAt = -1;
  #stalledNs = 0;
  #startedNs = 0;
  /** A page that the model has chosen and that was not there. */
  #chosen = -1;

  constructor(spec: GuestSpec, truth: Truth, out: GuestOutputs) {
    this.#spec = spec;
    this.#layout = layoutOf(spec.pages);
    this.#truth = truth;
    this.#out = out;
    this.memory = new SimMemory(spec.pages);
    this.dirty = new PageSet(spec.pages);
    this.missing = new PageSet(spec.pages);
    this.#header = new GuestHeader(this.memory.bytes);
    this.#model = new DirtyModel(this.#header, spec.dirty);
    this.#service = new Service(this.memory.bytes, this.#layout);
    this.#station = new EndStation({ mac: spec.mac, ip: spec.ip, mtu: GUEST_MTU });
  }

  get isRunning(): boolean {
    return this.#running;
  }

  /** The page it stands at, -1 when it stands at none. */
  get stalledAt(): number {
    return this.#stalledAt;
  }

  /** Fills the memory as at boot; truth becomes this memory. */
  boot(rng: Rng): void {
    this.memory.fill(this.#spec.fill, rng.fork('fill').u32());
    const bootId = new Uint8Array(BOOT_ID_BYTES);
    rng.fork('boot id').fill(bootId);
    this.#header.format(this.#layout, rng.fork('workload').u32(), bootId);
    for (let pfn = 0; pfn < this.memory.bytePages; pfn++) {
      this.memory.hi[pfn] = pfn;
      this.memory.lo[pfn] = 1;
    }
    this.#truth.memory.copyFrom(this.memory);
  }

  /** The memory and all that was known of it goes. */
  clear(): void {
    this.memory.clear();
    this.dirty.clear();
    this.missing.clear();
    this.isTracking = false;
    this.#inbox = [];
    this.#stalledAt = this.#chosen = -1;
    this.share = 1;
  }

  start(nowNs: number): void {
    this.#running = true;
    this.#lastNs = this.#startedNs = nowNs;
    this.blockedNs = this.faults = 0;
    this.#takeInbox();
  }

  /** Stands still from now on. */
  stop(nowNs: number): void {
    this.catchUp(nowNs);
    this.#running = false;
  }

  /** Frames that came while it stood, oldest first; no longer its own. */
  takeFrames(): Uint8Array[] {
    const frames = this.#inbox;
    this.#inbox = [];
    return frames;
  }

  /** Makes the writes that are due up to `nowNs`. */
  catchUp(nowNs: number): void {
    if (!this.#running || this.#stalledAt >= 0) return;
    if (this.#model.isIdle) {
      this.#lastNs = nowNs;
      return;
    }
    while (this.#lastNs < nowNs) {
      const sliceNs = Math.min(nowNs - this.#lastNs, TICK_NS);
      if (!this.#touch(HEADER_PFN, this.#lastNs)) return;
      this.#lastNs += sliceNs;
      if (!this.#write(this.#model.plan(sliceNs * this.share), this.#lastNs)) return;
    }
  }

  /** A frame for it came by its NIC, or from its host. The bytes are its own. */
  receive(nowNs: number, bytes: Uint8Array): void {
    this.catchUp(nowNs);
    this.#inbox.push(bytes);
    if (this.#running) this.#takeInbox();
  }

  /** A page that was missing is there. */
  placed(nowNs: number, pfn: number): void {
    this.missing.delete(pfn);
    if (this.#stalledAt !== pfn) return;
    const untilNs = Math.min(nowNs, this.#startedNs + BLOCKED_WINDOW_NS);
    this.blockedNs += Math.max(0, untilNs - Math.max(this.#stalledNs, this.#startedNs));
    this.#stalledAt = -1;
    this.#lastNs = nowNs;
    this.#takeInbox();
    this.catchUp(nowNs);
  }

  /** Asks for the page that its first step needs. @returns false when it is missing */
  touchFirst(nowNs: number): boolean {
    return this.#touch(HEADER_PFN, nowNs);
  }

  #write(due: number, nowNs: number): boolean {
    let made = 0;
    for (; made < due; made++) {
      const pfn = this.#chosen >= 0 ? this.#chosen : this.#model.nextPfn();
      this.#chosen = -1;
      if (this.#touch(pfn, nowNs)) {
        this.#changed(pfn);
        continue;
      }
      this.#chosen = pfn;
      break;
    }
    this.#model.made(made);
    this.#changed(HEADER_PFN);
    return this.#chosen < 0;
  }

  /** @returns false when the page is missing: then the guest stands */
  #touch(pfn: number, nowNs: number): boolean {
    if (!this.missing.has(pfn)) return true;
    this.#stalledAt = pfn;
    this.#stalledNs = nowNs;
    this.faults++;
    this.#out.fault(pfn);
    return false;
  }

  #changed(pfn: number): void {
    const write = this.#truth.nextWrite();
    const lo = nameOf(write, pfn) | 1;
    this.memory.lo[pfn] = this.#truth.memory.lo[pfn] = lo;
    this.memory.hi[pfn] = this.#truth.memory.hi[pfn] = write;
    if (this.isTracking) this.dirty.add(pfn);
  }

  #takeInbox(): void {
    while (this.#running && this.#stalledAt < 0 && this.#inbox.length > 0) {
      if (!this.#handle(this.#inbox[0]!)) return;
      this.#inbox.shift();
    }
  }

  /** @returns false when a page that it needs is missing: it is handled once that has come */
  #handle(bytes: Uint8Array): boolean {
    this.#station.receive(this.#lastNs, bytes, this.#actions);
    let handled = true;
    for (let i = 0; i < this.#actions.length; i++) {
      const action = this.#actions[i]!;
      if (action.type === 'send') this.#out.send(action.bytes);
      else if (action.type === 'udp-received' && action.toPort === SERVICE_PORT)
        handled = this.#serve(action.from, action.payload);
    }
    this.#actions.length = 0;
    return handled;
  }

  #serve(from: { readonly ip: number; readonly port: number }, payload: Uint8Array): boolean {
    if (!this.#request.read(payload, 0, Math.min(payload.length, REQUEST_SIZE))) return true;
    const { client, seq } = this.#request;
    const slotPage = this.#layout.slotFirstPage + (seq % this.#layout.slotPages);
    const { clientPage } = this.#layout;
    if (!this.#touch(clientPage, this.#lastNs) || !this.#touch(slotPage, this.#lastNs)) return false;
    this.#out.requested(client, seq);
    const length = this.#service.handle(payload, 0, REQUEST_SIZE, this.#response);
    this.#changed(clientPage);
    if (length === 0) return true;
    this.#changed(slotPage);
    this.#station.sendUdp(this.#lastNs, from, SERVICE_PORT, this.#response.slice(0, length), this.#actions);
    return true;
  }
}
