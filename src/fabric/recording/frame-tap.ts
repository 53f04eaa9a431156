/**
 * What the fabric's thread does for a recording: it gives every frame that comes in a number, and copies what passes
 * a port or an end of the fiber into the ring. Nothing here waits; what finds no room is counted.
 *
 *   port ── in ──► bridge A ── out ──► fiber-a ≈≈≈ fiber-b ── in ──► bridge B ── out ──► port
 *
 * Each frame is at each interface once. One that is dropped has its verdict where it would have been next: refused by
 * a bridge, at the port it came by; by the fiber's entry, at the near end; within the fiber, at the far end; by its
 * receiver, at the port it was to leave. Stamps: `in` at a port, when it reached this machine; `out` at fiber-a, when
 * it entered; `in` at fiber-b, the instant it was due; `out` at a port, just before the write that carried it. So the
 * difference between the ends of the fiber is the fiber's own delay, and what is left to the port is our lateness.
 */
import type { Frame } from '../../core/index.js';
import type { SendOutcome } from '../../l2/ports/index.js';
import type { PortSpec, SiteName } from '../messages.js';
import { numberOfReason, type RecordedReason } from './reasons.js';
import { KIND_EVENT, KIND_INTERFACE, RingWriter } from './record-ring.js';

const IN = 1;
const OUT = 2;

/** What was seen at one interface. */
export interface InterfaceTally {
  readonly interfaceId: number;
  readonly name: string;
  recorded: number;
  /** Frames that the ring had no room for. */
  unrecorded: number;
}

interface Interface extends InterfaceTally {
  readonly description: string;
  /** Whether the writing thread knows of it. */
  isKnown: boolean;
  /** Since the last that was recorded. */
  missed: number;
}

export class FrameTap {
  readonly #ring: RingWriter;
  readonly #snapBytes: number;
  readonly #interfaces: Interface[] = [];
  /** By the bridge's port number. */
  readonly #ports: (Interface | undefined)[] = [];
  readonly #ends: Readonly<Record<SiteName, Interface>>;
  #lastId = 0;
  #writeNs = 0;
  /** Events that found no room: the next one tells of them. */
  #lostEvents = 0;

  /** @param snapBytes how much of a frame is kept */
  constructor(memory: SharedArrayBuffer, snapBytes: number) {
    this.#ring = new RingWriter(memory);
    this.#snapBytes = snapBytes;
    this.#ends = {
      a: this.#add('fiber-a', "site a: the fiber's end"),
      b: this.#add('fiber-b', "site b: the fiber's end"),
    };
  }

  /** What was seen so far. */
  tallies(): InterfaceTally[] {
    return this.#interfaces.map(({ interfaceId, name, recorded, unrecorded }) => ({
      interfaceId,
      name,
      recorded,
      unrecorded,
    }));
  }

  addPort(id: number, { name, site, role, kind }: PortSpec): void {
    const description = `site ${site}: ${role} port, ${kind}`;
    // One that comes back under its name goes on where it was.
    const before = this.#interfaces.find((i) => i.name === name && i.description === description);
    this.#ports[id] = before ?? this.#add(name, description);
  }

  /** A number for a frame that has just come in. */
  nextId(): number {
    return ++this.#lastId;
  }

  /** A frame came in by a port. @param reason the bridge's, if it refused it */
  arrived(port: number, atNs: number, frame: Frame, packetId: number, reason: RecordedReason | null): void {
    const at = this.#ports[port];
    if (at !== undefined) this.#record(at, IN, atNs, frame, packetId, reason);
  }

  /** A frame was offered to the fiber at a site. */
  entered(site: SiteName, atNs: number, frame: Frame, packetId: number, reason: RecordedReason | null): void {
    this.#record(this.#ends[site], OUT, atNs, frame, packetId, reason);
  }

  /** A frame came out of the fiber at a site, or would have. */
  left(site: SiteName, atNs: number, frame: Frame, packetId: number, reason: RecordedReason | null): void {
    this.#record(this.#ends[site], IN, atNs, frame, packetId, reason);
  }

  /** A write begins, which carries what was sent. */
  writeBegins(atNs: number): void {
    this.#writeNs = atNs;
  }

  /** A frame was given to a port's receiver, or not. @param sinceNs the earliest that it can have been */
  sent(port: number, sinceNs: number, frame: Frame, packetId: number, outcome: SendOutcome): void {
    const at = this.#ports[port];
    const atNs = Math.max(this.#writeNs, sinceNs);
    if (at !== undefined) this.#record(at, OUT, atNs, frame, packetId, outcome === 'sent' ? null : outcome);
  }

  /** Something happened that whoever reads the capture should know. */
  event(atNs: number, text: string): void {
    const lost = this.#lostEvents === 0 ? '' : ` (${this.#lostEvents} events before it were not recorded)`;
    if (this.#ring.text(KIND_EVENT, 0, atNs, `${text}${lost}`)) this.#lostEvents = 0;
    else this.#lostEvents++;
  }

  #add(name: string, description: string): Interface {
    const interfaceId = this.#interfaces.length;
    const added = { interfaceId, name, description, recorded: 0, unrecorded: 0, isKnown: false, missed: 0 };
    this.#interfaces.push(added);
    this.#describe(added);
    return added;
  }

  #describe(i: Interface): void {
    i.isKnown = this.#ring.text(KIND_INTERFACE, i.interfaceId, 0, `${i.name}\n${i.description}`);
  }

  #record(
    i: Interface,
    direction: number,
    atNs: number,
    frame: Frame,
    packetId: number,
    reason: RecordedReason | null,
  ): void {
    if (!i.isKnown) this.#describe(i);
    const kept = Math.min(frame.length, this.#snapBytes);
    const number = numberOfReason(reason);
    if (
      i.isKnown &&
      this.#ring.frame(i.interfaceId, direction, atNs, packetId, frame, number, kept, i.missed)
    ) {
      i.recorded++;
      i.missed = 0;
    } else {
      i.unrecorded++;
      i.missed++;
    }
  }
}
