/**
 * A client that holds sessions with the guest: an end station of its own, requests at fixed intervals, and the books
 * of the real clients in which every answer is checked.
 */
import { frameOf } from '../core/index.js';
import { EchoLedger, REQUEST_SIZE, RequestMessage, SERVICE_PORT, ServiceLedger } from '../guest/index.js';
import { EndStation, type StationAction } from '../l2/index.js';
import type { SiteName, StretchedSegment } from './stretched-segment.js';
import { type VirtualTime, Waker } from './virtual-time.js';

export interface ClientSpec {
  readonly site: SiteName;
  /** Null for none. */
  readonly icmpIntervalNs: number | null;
  readonly serviceIntervalNs: number | null;
}

export interface ClientPlace {
  /** From 1. */
  readonly id: number;
  readonly mac: number;
  readonly ip: number;
  readonly guestIp: number;
  readonly slotPages: number;
}

const FROM_PORT = 40_000;
const CLIENT_MTU = 1500;
/** Where a UDP payload begins in a frame: Ethernet, IPv4, UDP. */
const PAYLOAD_AT = 14 + 20 + 8;

export class SimClient {
  readonly site: SiteName;
  readonly service: ServiceLedger | null;
  readonly echo: EchoLedger | null;
  /** Requests to the service, by seq: when they were asked for; from index 1. */
  readonly sentNs: number[] = [0];
  /** Requests, by seq, that the network has lost. */
  readonly lost = new Set<number>();
  readonly reached = new Set<number>();
  readonly #time: VirtualTime;
  readonly #segment: StretchedSegment;
  readonly #place: ClientPlace;
  readonly #station: EndStation;
  readonly #port: number;
  readonly #actions: StationAction[] = [];
  readonly #waker: Waker;
  #active = false;

  constructor(time: VirtualTime, segment: StretchedSegment, spec: ClientSpec, place: ClientPlace) {
    this.#time = time;
    this.#segment = segment;
    this.#place = place;
    this.site = spec.site;
    this.#station = new EndStation({ mac: place.mac, ip: place.ip, mtu: CLIENT_MTU });
    this.service = spec.serviceIntervalNs === null ? null : new ServiceLedger(place.id, place.slotPages);
    this.echo = spec.icmpIntervalNs === null ? null : new EchoLedger();
    this.#waker = new Waker(time, () => {
      this.#station.step(time.nowNs, { type: 'woke' }, this.#actions);
      this.#carryOut();
    });
    this.#port = segment.addPort(spec.site, `client-${place.id}`, 'client', (frame) => {
      if ('packets' in frame) return; // flooded between hosts, and for none of us
      this.#station.receive(
        time.nowNs,
        frame.data.subarray(frame.start, frame.start + frame.length),
        this.#actions,
      );
      this.#carryOut();
    });
    if (spec.serviceIntervalNs !== null) this.#every(spec.serviceIntervalNs, () => this.#ask());
    if (spec.icmpIntervalNs !== null) this.#every(spec.icmpIntervalNs, () => this.#ping());
  }

  start(): void {
    this.#active = true;
  }

  /** No further requests. */
  stop(): void {
    this.#active = false;
  }

  #every(intervalNs: number, body: () => void): void {
    this.#time.after(intervalNs, () => {
      if (this.#active) body();
      this.#every(intervalNs, body);
    });
  }

  #ask(): void {
    const now = this.#time.nowNs;
    this.sentNs.push(now);
    const to = { ip: this.#place.guestIp, port: SERVICE_PORT };
    this.#station.sendUdp(now, to, FROM_PORT, this.service!.next(now), this.#actions);
    this.#carryOut();
  }

  #ping(): void {
    const now = this.#time.nowNs;
    const seq = this.echo!.next(now);
    this.#station.sendEcho(now, this.#place.guestIp, this.#place.id, seq, this.echo!.payload, this.#actions);
    this.#carryOut();
  }

  #carryOut(): void {
    const now = this.#time.nowNs;
    for (let i = 0; i < this.#actions.length; i++) {
      const action = this.#actions[i]!;
      if (action.type === 'send') this.#segment.send(this.#port, frameOf(action.bytes));
      else if (action.type === 'udp-received') this.service?.answer(now, action.payload);
      else if (action.type === 'echo-reply-received')
        this.echo?.answer(now, action.seq, action.payload, 0, action.payload.length);
    }
    this.#actions.length = 0;
    this.#waker.mind(this.#station.nextWakeNs());
  }
}

const request = new RequestMessage();

/** The request to the service that a frame carries, or null. @param bytes from the destination MAC on */
export function requestIn(bytes: Uint8Array): { readonly client: number; readonly seq: number } | null {
  if (bytes.length < PAYLOAD_AT + REQUEST_SIZE || !request.read(bytes, PAYLOAD_AT, REQUEST_SIZE)) return null;
  return { client: request.client, seq: request.seq };
}
