/**
 * What a user may ask of a bridge and of its ports, with the defaults and the check.
 *
 * A bridge without options is the plain learning bridge: tags are payload, nothing is limited, and of the
 * rules at the stretch only the isolation of BPDUs is on. Each rule costs nothing until it is asked for.
 */
import { ConfigError, NS_PER_S } from '../core/index.js';
import type { L2ErrorCode } from './errors.js';
import type { MacTableOptions } from './mac-table.js';
import { MAX_VID } from './wire/vlan-tag.js';

/** Frames belong to one VLAN and are untagged on the wire. Frames that come with a VLAN of their own are refused. */
export interface AccessVlan {
  readonly mode: 'access';
  /** 1..4094. */
  readonly vid: number;
}

/** Frames carry their VLAN in a tag. */
export interface TrunkVlan {
  readonly mode: 'trunk';
  /** VLANs that may pass, 1..4094 each; default `'all'`. */
  readonly allowed?: 'all' | readonly number[];
  /** The VLAN of untagged frames, in and out; default `null`: untagged frames are refused, all leave tagged. */
  readonly native?: number | null;
}

export type PortVlan = AccessVlan | TrunkVlan;

/** So many packets a second, or so many bits; frames beyond it are dropped. */
export type StormLimit =
  | {
      /** Wire packets a second, ≥ 1: a super-frame counts as those it stands for. */
      readonly ratePps: number;
      /** Packets that may come at once; default a tenth of a second's worth, at least 1. */
      readonly burstPackets?: number;
    }
  | {
      /** Bits a second of Ethernet frames without FCS, ≥ 1000. */
      readonly rateBps: number;
      /** Bytes that may come at once; default a tenth of a second's worth, at least 1518. */
      readonly burstBytes?: number;
    };

/** Limits on what is flooded, by class; a class without one is not limited. */
export interface StormLimits {
  readonly broadcast?: StormLimit;
  readonly multicast?: StormLimit;
  readonly unknownUnicast?: StormLimit;
}

export interface PortOptions {
  /** On a VLAN-aware bridge only. Default: access to VLAN 1; on a stretch port a trunk of all VLANs. */
  readonly vlan?: PortVlan;
  /** Isolated ports reach only ports that are not; default false. */
  readonly isolated?: boolean;
  /** On frames that come in here. */
  readonly storm?: StormLimits;
  /**
   * Bytes behind the Ethernet header and one VLAN tag, 68..65535, in and out; default: no limit. It says
   * what `ip link` calls the MTU. A super-frame is judged by the packets it stands for.
   */
  readonly mtuBytes?: number;
}

/** When an address that keeps moving is taken for two hosts with one address (RFC 7432, section 15.1). */
export interface DuplicateMacOptions {
  /** So many moves …, 2..1000; default 5. */
  readonly moves?: number;
  /** … within this time are too many; default 180 s. */
  readonly windowNs?: number;
  /** How long the address then stays where it was; 0 (the default): until it is cleared. */
  readonly holdNs?: number;
}

/** The table from which ARP and ND requests are answered (RFC 9161). */
export interface SuppressionOptions {
  /** How long an address is answered for after it was last heard; default 240 s: less than a MAC's, as OTV wants it. */
  readonly agingNs?: number;
  /** Addresses of both families at most, 1..65536; default 4096. */
  readonly capacity?: number;
}

/** The rules between the sites; they hold on ports with the role `stretch`. */
export interface StretchOptions {
  /** What becomes of a unicast frame for an address not heard of; default `'flood'`. Local ports always get it. */
  readonly unknownUnicast?: 'flood' | 'drop';
  /** Spanning tree and the other link-local protocols, PVST+ too; default `'drop'`. */
  readonly bpdu?: 'drop' | 'pass';
  /** HSRP, VRRP and GLBP, so that each site has its own active gateway; default `'pass'`. */
  readonly firstHop?: 'pass' | 'filter';
  /** Answer requests for addresses across the stretch from what was heard; default false. */
  readonly suppressNeighbours?: boolean | SuppressionOptions;
  /** For stretch ports that are added without options of their own. */
  readonly port?: PortOptions;
}

/** `agingNs` and `capacity` are those of the MAC table. */
export interface BridgeOptions extends MacTableOptions {
  /** True: 802.1Q by the ports' `vlan`; default false: a tag is payload. */
  readonly vlanAware?: boolean;
  /** 01-80-C2-00-00-00..0F between local ports; default `'drop'`, as the standard has it. PAUSE (…-01) never passes. */
  readonly linkLocal?: 'drop' | 'pass';
  /** Default `null`: an address may move as often as it likes. `{}` gives RFC 7432's figures. */
  readonly duplicateMac?: DuplicateMacOptions | null;
  readonly stretch?: StretchOptions;
}

export const DEFAULT_DUPLICATE_MAC: Required<DuplicateMacOptions> = {
  moves: 5,
  windowNs: 180 * NS_PER_S,
  holdNs: 0,
};
export const DEFAULT_SUPPRESSION: Required<SuppressionOptions> = { agingNs: 240 * NS_PER_S, capacity: 4096 };

const MAX_NS = 1_000_000 * NS_PER_S;
/** RFC 791: every internet module must forward 68 bytes. */
const MIN_MTU = 68;
const MAX_MTU = 65_535;
const MAX_RATE = 1e12;

/**
 * Refuses what makes no sense; `agingNs` and `capacity` are checked by the MAC table.
 * @param where names the bridge in the message, as `sites.a.bridge`
 * @throws ConfigError `L2_BRIDGE_OPTIONS`, or `L2_PORT_OPTIONS` for `stretch.port`
 */
export function checkBridgeOptions(options: BridgeOptions, where = 'bridge'): void {
  const check = new Check('L2_BRIDGE_OPTIONS', where);
  check.flag('vlanAware', options.vlanAware);
  check.oneOf('linkLocal', options.linkLocal, ['drop', 'pass']);
  const duplicate = options.duplicateMac;
  if (duplicate !== undefined && duplicate !== null) {
    check.record('duplicateMac', duplicate);
    check.integer('duplicateMac.moves', duplicate.moves, 2, 1000);
    check.integer('duplicateMac.windowNs', duplicate.windowNs, 1, MAX_NS);
    check.integer('duplicateMac.holdNs', duplicate.holdNs, 0, MAX_NS);
  }
  const { stretch } = options;
  if (stretch === undefined) return;
  check.record('stretch', stretch);
  check.oneOf('stretch.unknownUnicast', stretch.unknownUnicast, ['flood', 'drop']);
  check.oneOf('stretch.bpdu', stretch.bpdu, ['drop', 'pass']);
  check.oneOf('stretch.firstHop', stretch.firstHop, ['pass', 'filter']);
  if (typeof stretch.suppressNeighbours === 'object' && stretch.suppressNeighbours !== null) {
    const { agingNs, capacity } = stretch.suppressNeighbours;
    check.integer('stretch.suppressNeighbours.agingNs', agingNs, 1, MAX_NS);
    check.integer('stretch.suppressNeighbours.capacity', capacity, 1, 65_536);
  } else {
    check.flag('stretch.suppressNeighbours', stretch.suppressNeighbours);
  }
  if (stretch.port !== undefined) {
    checkPortOptions(stretch.port, options.vlanAware ?? false, `${where}: stretch.port`);
  }
}

/**
 * @param vlanAware whether the port's bridge is
 * @param where names the port in the message
 * @throws ConfigError `L2_PORT_OPTIONS`
 */
export function checkPortOptions(options: PortOptions, vlanAware: boolean, where = 'port'): void {
  const check = new Check('L2_PORT_OPTIONS', where);
  check.flag('isolated', options.isolated);
  check.integer('mtuBytes', options.mtuBytes, MIN_MTU, MAX_MTU);
  if (options.storm !== undefined) {
    check.record('storm', options.storm);
    checkStorm(check, 'storm.broadcast', options.storm.broadcast);
    checkStorm(check, 'storm.multicast', options.storm.multicast);
    checkStorm(check, 'storm.unknownUnicast', options.storm.unknownUnicast);
  }
  if (options.vlan === undefined) return;
  check.record('vlan', options.vlan);
  if (!vlanAware) check.refuse('vlan is set on a bridge that is not VLAN-aware', 'set vlanAware: true');
  checkVlan(check, options.vlan);
}

function checkVlan(check: Check, vlan: PortVlan): void {
  check.oneOf('vlan.mode', vlan.mode as string | undefined, ['access', 'trunk']);
  if (vlan.mode === 'access') {
    check.vid('vlan.vid', vlan.vid);
    return;
  }
  if (vlan.mode !== 'trunk') check.refuse('vlan.mode is missing', 'write access or trunk');
  const { allowed = 'all', native = null } = vlan;
  if (native !== null) check.vid('vlan.native', native);
  if (allowed === 'all') return;
  if (!Array.isArray(allowed) || allowed.length === 0) {
    check.refuse('vlan.allowed is neither all nor a list of VLANs', 'write all, or a list like [10, 20]');
  }
  for (const vid of allowed) check.vid('vlan.allowed', vid);
  if (native !== null && !allowed.includes(native)) {
    check.refuse(`vlan.native ${native} is not among vlan.allowed`, 'add it there');
  }
}

function checkStorm(check: Check, key: string, limit: StormLimit | undefined): void {
  if (limit === undefined) return;
  check.record(key, limit);
  const given = limit as Partial<Record<'ratePps' | 'burstPackets' | 'rateBps' | 'burstBytes', number>>;
  const both = given.ratePps !== undefined && given.rateBps !== undefined;
  if (both || (given.ratePps === undefined && given.rateBps === undefined)) {
    check.refuse(`${key} needs one of ratePps and rateBps`, 'name one of the two');
  }
  check.within(`${key}.ratePps`, given.ratePps, 1, MAX_RATE);
  check.within(`${key}.rateBps`, given.rateBps, 1000, MAX_RATE);
  check.within(`${key}.burstPackets`, given.burstPackets, 1, MAX_RATE);
  check.within(`${key}.burstBytes`, given.burstBytes, 1, MAX_RATE);
  if (given.ratePps !== undefined && given.burstBytes !== undefined) {
    check.refuse(`${key}.burstBytes stands beside ratePps`, 'write burstPackets');
  }
  if (given.rateBps !== undefined && given.burstPackets !== undefined) {
    check.refuse(`${key}.burstPackets stands beside rateBps`, 'write burstBytes');
  }
}

/** The refusals, each with where, what and the allowed range. An absent value is the default and passes. */
class Check {
  constructor(
    readonly code: L2ErrorCode,
    readonly where: string,
  ) {}

  refuse(what: string, hint: string, details: Readonly<Record<string, unknown>> = {}): never {
    throw new ConfigError<L2ErrorCode>(this.code, `${this.where}: ${what}`, {
      details: { where: this.where, ...details },
      hint,
    });
  }

  record(key: string, value: unknown): void {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      this.refuse(`${key} ${JSON.stringify(value)} is no group of settings`, `give ${key} keys of its own`, {
        key,
      });
    }
  }

  flag(key: string, value: boolean | undefined): void {
    if (value === undefined || typeof value === 'boolean') return;
    this.refuse(`${key} ${JSON.stringify(value)} is neither true nor false`, 'write true or false', { key });
  }

  oneOf(key: string, value: string | undefined, allowed: readonly string[]): void {
    if (value === undefined || allowed.includes(value)) return;
    const choice = allowed.join(' or ');
    this.refuse(`${key} ${JSON.stringify(value)} is not ${choice}`, `write ${choice}`, { key, value });
  }

  integer(key: string, value: number | undefined, min: number, max: number): void {
    if (value !== undefined && !Number.isInteger(value)) {
      this.refuse(`${key} ${value} is no whole number in ${min}..${max}`, 'write a whole number', {
        key,
        value,
      });
    }
    this.within(key, value, min, max);
  }

  within(key: string, value: number | undefined, min: number, max: number): void {
    if (value === undefined || (value >= min && value <= max)) return;
    this.refuse(`${key} ${value} is outside ${min}..${max}`, 'choose a value in that range', { key, value });
  }

  vid(key: string, value: number | undefined): void {
    if (Number.isInteger(value) && value! >= 1 && value! <= MAX_VID) return;
    this.refuse(`${key} ${value} is outside 1..${MAX_VID}`, '0 and 4095 are reserved', { key, value });
  }
}
