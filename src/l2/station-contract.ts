/**
 * What goes into an end station (station.ts), what comes out of it and what it counts.
 */
import { ConfigError, type Woke } from '../core/index.js';
import type { L2ErrorCode } from './errors.js';
import { BROADCAST_MAC, isGroupMac } from './wire/ethernet.js';
import { BROADCAST_IPV4 } from './wire/ipv4.js';

export interface StationConfig {
  readonly mac: number;
  readonly ip: number;
  /** Bits of the network part, 0..32; peers outside it are refused. Default 24. */
  readonly prefix?: number;
  /** Largest IP datagram in bytes, 576..65535. Default 1500. */
  readonly mtu?: number;
}

export interface Endpoint {
  readonly ip: number;
  readonly port: number;
}

export type StationEvent =
  /** The bytes are the caller's again when `step` returns. */
  | { readonly type: 'frame-received'; readonly bytes: Uint8Array }
  /** The payload is copied into the frame. */
  | {
      readonly type: 'udp-requested';
      readonly to: Endpoint;
      readonly fromPort: number;
      readonly payload: Uint8Array;
    }
  | {
      readonly type: 'echo-requested';
      readonly to: number;
      readonly id: number;
      readonly seq: number;
      readonly payload: Uint8Array;
    }
  | Woke;

export type StationAction =
  /** The bytes belong to whoever takes them. */
  | { readonly type: 'send'; readonly bytes: Uint8Array }
  /** `payload` is a view of the received bytes: copy it to keep it past the driver's next read. */
  | {
      readonly type: 'udp-received';
      readonly from: Endpoint;
      readonly toPort: number;
      readonly payload: Uint8Array;
    }
  | {
      readonly type: 'echo-reply-received';
      readonly from: number;
      readonly id: number;
      readonly seq: number;
      readonly payload: Uint8Array;
    }
  /** Someone says that a UDP datagram of ours could not be delivered. */
  | {
      readonly type: 'unreachable-received';
      readonly from: number;
      readonly code: number;
      readonly to: Endpoint;
      readonly fromPort: number;
    };

/** Why a received frame ended here. */
export type StationDropReason =
  | 'runt'
  | 'other-mac'
  | 'other-ethertype'
  | 'bad-arp'
  | 'bad-ip'
  | 'ip-checksum'
  | 'other-ip'
  | 'fragment'
  | 'other-protocol'
  | 'bad-icmp'
  | 'icmp-checksum'
  | 'other-icmp'
  | 'bad-udp'
  | 'udp-checksum';

/** Why a datagram that was asked for never left. */
export type StationRefusal = 'too-big' | 'off-link' | 'bad-number' | 'pending-full' | 'unresolved';

/**
 * At every instant `framesIn = arp + echoRequests + echoReplies + unreachable + udp + Σ drops` and
 * `requested = sent + pending + Σ refusals`.
 */
export interface StationCounters {
  readonly framesIn: number;
  readonly arp: number;
  readonly echoRequests: number;
  readonly echoReplies: number;
  readonly unreachable: number;
  readonly udp: number;
  readonly drops: Record<StationDropReason, number>;
  /** Datagrams asked for. */
  readonly requested: number;
  /** Of these, sent. */
  readonly sent: number;
  /** Of these, waiting for an address. */
  readonly pending: number;
  readonly refusals: Record<StationRefusal, number>;
  /** ARP packets of another MAC that claims our address. */
  readonly addressConflicts: number;
}

export function noDrops(): Record<StationDropReason, number> {
  return {
    runt: 0,
    'other-mac': 0,
    'other-ethertype': 0,
    'bad-arp': 0,
    'bad-ip': 0,
    'ip-checksum': 0,
    'other-ip': 0,
    fragment: 0,
    'other-protocol': 0,
    'bad-icmp': 0,
    'icmp-checksum': 0,
    'other-icmp': 0,
    'bad-udp': 0,
    'udp-checksum': 0,
  };
}

export function noRefusals(): Record<StationRefusal, number> {
  return {
    'too-big': 0,
    'off-link': 0,
    'bad-number': 0,
    'pending-full': 0,
    unresolved: 0,
  };
}

export const DEFAULT_STATION_MTU = 1500;
export const DEFAULT_STATION_PREFIX = 24;

/** @throws ConfigError `L2_STATION_RANGE` unless every number is in its range */
export function checkStationConfig({ mac, ip, prefix, mtu }: Required<StationConfig>): void {
  const wrong = (what: string, hint: string): never => {
    throw new ConfigError<L2ErrorCode>('L2_STATION_RANGE', what, { details: { mac, ip, prefix, mtu }, hint });
  };
  const isMac = Number.isInteger(mac) && mac > 0 && mac < BROADCAST_MAC && !isGroupMac(mac);
  if (!isMac) wrong(`station MAC ${mac} is no unicast address`, 'choose one like 52:54:00:00:00:01');
  const isIp = Number.isInteger(ip) && ip > 0 && ip < BROADCAST_IPV4;
  if (!isIp) wrong(`station IP ${ip} is no host address`, 'choose one like 10.0.0.1');
  const isPrefix = Number.isInteger(prefix) && prefix >= 0 && prefix <= 32;
  if (!isPrefix) wrong(`station prefix ${prefix} is outside 0..32`, 'the default is 24');
  const isMtu = Number.isInteger(mtu) && mtu >= 576 && mtu <= 65535;
  if (!isMtu) wrong(`station MTU ${mtu} is outside 576..65535`, 'the default is 1500');
}
