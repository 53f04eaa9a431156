/**
 * Reads the file of `longhaul bridge`: YAML, then the schema, then what only all keys together can say. What is
 * refused is refused in one line with its place, as in an experiment's file:
 *
 *   two.yaml:9:5: ports[1].tap stands beside interface; keep one of tap, interface, nio-udp, vxlan
 *
 *   YAML ─► bridge-keys (what may be said) ─► BridgePlan (every quantity a number) ─► bridge-run
 */
import { basename, dirname, extname } from 'node:path';
import { ConfigError } from '../../core/index.js';
import type { FabricSettings, PortRole, SiteName } from '../../fabric/index.js';
import { type FiberSettings, resolveFiber, type Timeline } from '../../fiber/index.js';
import {
  type BridgeOptions,
  checkBridgeOptions,
  checkPortOptions,
  type PortOptions,
  type PortVlan,
  parseIpv4,
  parseMac,
} from '../../l2/index.js';
import { fiberFrom } from '../config/fiber-keys.js';
import { type KeySet, keyName, type Locate, type Path, refusalOf } from '../config/key-refusal.js';
import { parseYaml, readYaml, type YamlKind, type YamlSource } from '../config/yaml-file.js';
import { BRIDGE_KEYS, type BridgeKeys, type HostPort, PORT_KEYS, type PortKeys } from './keys.js';

export type BridgeFileErrorCode = 'LAB_CONFLICT' | 'LAB_PORT_KIND' | 'LAB_PORT_NAME';

/** How a port hangs on this machine. */
export type PortAttach =
  | {
      readonly kind: 'tap';
      readonly device: string;
      readonly address: { readonly ip: number; readonly prefix: number } | null;
      /** 48-bit MAC as a number; null: the kernel's choice. */
      readonly mac: number | null;
    }
  | { readonly kind: 'interface'; readonly device: string }
  | { readonly kind: 'nio-udp'; readonly listen: HostPort; readonly peer: HostPort }
  | {
      readonly kind: 'vxlan';
      readonly vni: number;
      readonly listen: HostPort;
      readonly peers: readonly HostPort[];
    };

export interface PlannedPort {
  readonly name: string;
  readonly site: SiteName;
  readonly role: PortRole;
  readonly attach: PortAttach;
  /** The namespace it is in; null: the one of the bridge itself. */
  readonly netns: string | null;
  readonly options: PortOptions;
}

/** A bridge's file, resolved. */
export interface BridgePlan {
  readonly name: string;
  readonly seed: number;
  readonly qos: FabricSettings['qos'];
  readonly spin: FabricSettings['spin'];
  readonly fiber: FiberSettings;
  /** What changes while it runs. */
  readonly timeline: Timeline;
  readonly bridge: BridgeOptions;
  readonly ports: readonly PlannedPort[];
  /** A path, or a name in the user's directory of sockets. */
  readonly control: string;
  readonly metrics: HostPort | null;
}

const KIND: YamlKind = { title: 'CONFIG.yaml', example: 'examples/two-namespaces.yaml' };
const FILE: KeySet = { schema: BRIDGE_KEYS, example: KIND.example };
const PORT: KeySet = { schema: PORT_KEYS, example: KIND.example };
const ATTACHES = ['tap', 'interface', 'nio-udp', 'vxlan'] as const;

type Refuse = (path: Path, code: string, message: string, hint: string) => never;

/** Reads the file's text. @throws ConfigError `LAB_FILE_READ` */
export function readBridgeFile(file: string): YamlSource {
  return readYaml(file, KIND);
}

/** The bridge that a file describes. @throws ConfigError with the place, the allowed values, the remedy */
export function parseBridge(source: YamlSource): BridgePlan {
  const { raw, locate } = parseYaml(source, KIND);
  const parsed = BRIDGE_KEYS.safeParse(raw);
  if (!parsed.success) throw refusalOf(parsed.error.issues[0]!, raw, locate, FILE);
  const name =
    parsed.data.name ??
    basename(source.name, extname(source.name))
      .replace(/[^\w.-]/g, '-')
      .slice(0, 40);
  return resolve(parsed.data, name, dirname(source.name), refuseAt(locate));
}

/** Whether a port needs an interface or a namespace to be made, for which an unprivileged user starts over. */
export function needsNamespaces({ ports }: BridgePlan): boolean {
  return ports.some(({ attach, netns }) => attach.kind === 'tap' || netns !== null);
}

/** One port more, as the file would have it. @param raw its keys @throws ConfigError under the keys' own names */
export function portFrom(raw: unknown, vlanAware: boolean): PlannedPort {
  const locate: Locate = (path, key) => keyName(['port', ...path], key);
  const parsed = PORT_KEYS.safeParse(raw);
  if (!parsed.success) throw refusalOf(parsed.error.issues[0]!, raw, locate, PORT);
  return portOf(parsed.data, vlanAware, [], refuseAt(locate));
}

/** The keys of a port written as YAML, `{name: c, site: b, tap: lh-c}`. @throws ConfigError `LAB_FILE_YAML` */
export function parsePortText(text: string): unknown {
  return parseYaml({ name: 'PORT', text }, KIND).raw;
}

function refuseAt(locate: Locate): Refuse {
  return (path, code, message, hint) => {
    const error = new ConfigError(code, `${locate(path)} ${message}`, {
      details: { key: keyName(path) },
      hint,
    });
    placed.add(error);
    throw error;
  };
}

/** Refusals that name their place already. */
const placed = new WeakSet<Error>();

/** @param folder files that the fiber's keys name are relative to it */
function resolve(keys: BridgeKeys, name: string, folder: string, refuse: Refuse): BridgePlan {
  const bridge = bridgeOptions(keys);
  underKey(refuse, ['bridge'], () => checkBridgeOptions(bridge));
  const ports = keys.ports.map((port, i) => portOf(port, bridge.vlanAware ?? false, ['ports', i], refuse));
  refuseTwice(ports, refuse);
  const { options, timeline } = fiberFrom(keys.fiber, refuse, ['fiber'], () => folder);
  return {
    name,
    seed: keys.seed,
    qos: keys.qos,
    spin: keys.spin,
    fiber: underKey(refuse, ['fiber'], () => resolveFiber(options)),
    timeline,
    bridge,
    ports,
    control: keys.control ?? name,
    metrics: keys.metrics ?? null,
  };
}

function bridgeOptions({ bridge, stretch, ports }: BridgeKeys): BridgeOptions {
  const { 'duplicate-mac': duplicate } = bridge;
  return {
    agingNs: bridge['mac-aging'],
    capacity: bridge['mac-capacity'],
    vlanAware: bridge['vlan-aware'] ?? ports.some((port) => port.vlan !== undefined),
    linkLocal: bridge['link-local'],
    duplicateMac: duplicate
      ? { moves: duplicate.moves, windowNs: duplicate.within, holdNs: duplicate.hold }
      : null,
    stretch: {
      unknownUnicast: stretch['unknown-unicast'],
      bpdu: stretch.bpdu,
      firstHop: stretch['first-hop'] === 'drop' ? 'filter' : 'pass',
      suppressNeighbours: stretch['arp-suppression'] === 'on',
      ...(stretch.mtu === undefined ? {} : { port: { mtuBytes: stretch.mtu } }),
    },
  };
}

function portOf(keys: PortKeys, vlanAware: boolean, path: Path, refuse: Refuse): PlannedPort {
  const given = ATTACHES.filter((kind) => keys[kind] !== undefined);
  const [kind, second] = given;
  if (kind === undefined) {
    return refuse(
      path,
      'LAB_PORT_KIND',
      'does not say what it is attached to',
      `give one of ${ATTACHES.join(', ')}`,
    );
  }
  if (second !== undefined) {
    refuse([...path, second], 'LAB_CONFLICT', `stands beside ${kind}`, `keep one of ${ATTACHES.join(', ')}`);
  }
  for (const key of ['address', 'mac'] as const) {
    if (keys[key] === undefined || kind === 'tap') continue;
    refuse(
      [...path, key],
      'LAB_CONFLICT',
      `is for a tap, and this port is ${kind}`,
      'set it at the other end',
    );
  }
  const options = portOptions(keys, path, refuse);
  if (options.vlan !== undefined && !vlanAware) {
    refuse([...path, 'vlan'], 'LAB_CONFLICT', 'is for a bridge with VLANs', 'set bridge: {vlan-aware: true}');
  }
  underKey(refuse, path, () => checkPortOptions(options, vlanAware));
  return {
    name: keys.name,
    site: keys.site,
    role: keys.role,
    attach: attachOf(keys),
    netns: keys.netns ?? null,
    options,
  };
}

function attachOf(keys: PortKeys): PortAttach {
  const { tap, interface: device, 'nio-udp': nioUdp, vxlan, address, mac } = keys;
  if (tap !== undefined) {
    return {
      kind: 'tap',
      device: tap,
      address: address ? { ip: parseIpv4(address.ip), prefix: address.prefix } : null,
      mac: mac === undefined ? null : parseMac(mac),
    };
  }
  if (device !== undefined) return { kind: 'interface', device };
  if (nioUdp !== undefined) return { kind: 'nio-udp', ...nioUdp };
  return { kind: 'vxlan', ...vxlan! };
}

function portOptions(keys: PortKeys, path: Path, refuse: Refuse): PortOptions {
  const { vlan, storm, mtu } = keys;
  return {
    isolated: keys.isolated,
    ...(mtu === undefined ? {} : { mtuBytes: mtu }),
    ...(vlan === undefined ? {} : { vlan: vlanOf(vlan, [...path, 'vlan'], refuse) }),
    ...(storm === undefined
      ? {}
      : {
          storm: {
            ...(storm.broadcast && { broadcast: storm.broadcast }),
            ...(storm.multicast && { multicast: storm.multicast }),
            ...(storm['unknown-unicast'] && { unknownUnicast: storm['unknown-unicast'] }),
          },
        }),
  };
}

function vlanOf(keys: NonNullable<PortKeys['vlan']>, path: Path, refuse: Refuse): PortVlan {
  const { access, trunk, native } = keys;
  if ((access === undefined) === (trunk === undefined)) {
    refuse(path, 'LAB_CONFLICT', 'is either access or trunk', 'write {access: 10} or {trunk: [10, 20]}');
  }
  if (access !== undefined) {
    if (native !== undefined) {
      refuse([...path, 'native'], 'LAB_CONFLICT', 'is for a trunk', 'an access port has one VLAN, untagged');
    }
    return { mode: 'access', vid: access };
  }
  if (native !== undefined && trunk !== 'all' && !trunk!.includes(native)) {
    refuse([...path, 'native'], 'LAB_CONFLICT', `${native} is not among the trunk's VLANs`, 'add it there');
  }
  return { mode: 'trunk', allowed: trunk!, native: native ?? null };
}

/** Two ports cannot share a name, nor an interface of one namespace. */
function refuseTwice(ports: readonly PlannedPort[], refuse: Refuse): void {
  const names = new Set<string>();
  const devices = new Set<string>();
  for (const [i, port] of ports.entries()) {
    const { name, attach, netns } = port;
    if (names.has(name)) {
      refuse(
        ['ports', i, 'name'],
        'LAB_PORT_NAME',
        `${name} is there a second time`,
        'give each port a name of its own',
      );
    }
    names.add(name);
    if (attach.kind !== 'tap' && attach.kind !== 'interface') continue;
    const device = `${netns ?? ''}/${attach.device}`;
    if (devices.has(device)) {
      refuse(
        ['ports', i, attach.kind],
        'LAB_CONFLICT',
        `${attach.device} is taken by another port`,
        'give each port an interface of its own',
      );
    }
    devices.add(device);
  }
}

/** What a floor below refuses, refused at the key that it stands under. */
function underKey<T>(refuse: Refuse, path: Path, body: () => T): T {
  try {
    return body();
  } catch (e) {
    if (!(e instanceof ConfigError) || placed.has(e)) throw e;
    return refuse(path, e.code, `cannot be: ${e.message}`, e.hint ?? 'change it');
  }
}
