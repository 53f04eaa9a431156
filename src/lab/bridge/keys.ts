/**
 * What a person may say about a bridge that runs on its own: the keys of the file of `longhaul bridge`, and of
 * `longhaul ctl port add`. The fiber's keys are those of the experiment file.
 *
 * `schemas/bridge.schema.json` is made from this schema's input side, for editors.
 */
import { z } from 'zod';
import { ConfigError, parseDuration, parseRate } from '../../core/index.js';
import { QOS, SITES, SPINS } from '../config/experiment.js';
import { FIBER_KEYS } from '../config/fiber-keys.js';
import {
  address,
  integer,
  type KeyErrorCode,
  quantity,
  read,
  UNICAST_IPV4,
  UNICAST_MAC,
  written,
} from '../config/key-kinds.js';

/** IFNAMSIZ is 16 bytes with the NUL; the kernel refuses slashes, colons and spaces. netdevice(7) */
const INTERFACE = /^(?!\.{1,2}$)[^/:\s]{1,15}$/;
const WORD = /^[\w.-]{1,40}$/;
const ENDPOINT = /^((?:\d{1,3}\.){3}\d{1,3}):(\d{1,5})$/;

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

function word(what: string, pattern: RegExp, example: string, description: string) {
  return read((value, option) => {
    const text = String(value);
    if (pattern.test(text) && text !== '.' && text !== '..') return text;
    throw new ConfigError<KeyErrorCode>('LAB_ADDRESS', `${option} ${JSON.stringify(value)} is not ${what}`, {
      hint: `write it like ${example}`,
    });
  }, description);
}

function endpoint(example: string, description: string, minPort = 1) {
  return read((value, option): HostPort => {
    const [, host = '', port = ''] = ENDPOINT.exec(String(value).trim()) ?? [];
    const octets = host.split('.').map(Number);
    if (
      octets.length === 4 &&
      octets.every((n) => n <= 255) &&
      Number(port) >= minPort &&
      Number(port) <= 65_535
    ) {
      return { host, port: Number(port) };
    }
    const text = `${option} ${JSON.stringify(value)} is not an IPv4 address and a port in ${minPort}..65535`;
    throw new ConfigError<KeyErrorCode>('LAB_ADDRESS', text, { hint: `write it like ${example}` });
  }, description);
}

const subnet = read((value, option) => {
  const [ip = '', prefix = ''] = String(value).trim().split('/');
  if (UNICAST_IPV4.test(ip) && /^\d{1,2}$/.test(prefix) && Number(prefix) >= 1 && Number(prefix) <= 32) {
    return { ip, prefix: Number(prefix) };
  }
  const text = `${option} ${JSON.stringify(value)} is not a unicast IPv4 address with its prefix`;
  throw new ConfigError<KeyErrorCode>('LAB_ADDRESS', text, { hint: 'write it like 10.0.0.1/24' });
}, 'IPv4 address that the TAP gets, with its prefix');

const PPS = /^(\d+(?:\.\d+)?)\s*pps$/i;
const storm = (what: string) =>
  read((value, option) => {
    const packets = PPS.exec(String(value).trim());
    const limit = packets ? { ratePps: Number(packets[1]) } : { rateBps: parseRate(value, option) };
    const [n, min] = 'ratePps' in limit ? [limit.ratePps, 1] : [limit.rateBps, 1000];
    if (n >= min && n <= 1e12) return limit;
    throw new ConfigError<KeyErrorCode>(
      'LAB_NUMBER',
      `${option} ${JSON.stringify(value)} is outside 1pps..1e12pps and 1kbit..1Tbit`,
      { hint: 'write packets a second like 100pps, or a rate like 10Mbit' },
    );
  }, `${what} that may come in here: packets a second or a rate (100pps, 10Mbit)`).optional();

const vid = (description: string) => integer(1, 4094, description);
/** `all`, or a list of VLANs. */
const trunk = z
  .union([written, z.array(written)])
  .transform((value, context): 'all' | readonly number[] => {
    if (value === 'all') return 'all';
    const vids = [value].flat().map((one) => vid('').safeParse(one));
    if (vids.length > 0 && vids.every((one) => one.success)) return vids.map((one) => one.data!);
    const params = { code: 'LAB_NUMBER', hint: 'write all, or a list like [10, 20]' };
    const message = `${JSON.stringify(value)} is neither all nor VLANs in 1..4094`;
    context.issues.push({ code: 'custom', input: value, message, params });
    return z.NEVER;
  })
  .describe('Tagged frames: all, or a list of VLANs (1..4094)');
const mtu = integer(68, 65_535, 'Bytes behind the Ethernet header and one VLAN tag');
const seconds = (lo: string, hi: string, description: string) => quantity(parseDuration, lo, hi, description);
const netns = word(
  'a name for a namespace',
  WORD,
  'left',
  'Network namespace, by its name for ip netns; made when there is none, and then removed at the end',
);

export const PORT_KEYS = z
  .strictObject({
    name: word('a name of letters, digits, dots and dashes', WORD, 'left', 'What people call it'),
    site: z.enum(SITES).describe('Which bridge it is on'),
    role: z
      .enum(['guest', 'vmk', 'client'])
      .default('client')
      .describe('vmk: its frames stand behind the others when qos is guest-first'),
    tap: word(
      'a name for an interface',
      INTERFACE,
      'lh-left',
      'Makes a TAP interface of this name',
    ).optional(),
    interface: word(
      'the name of an interface',
      INTERFACE,
      'eth1',
      'Takes an interface that is there, by AF_PACKET',
    ).optional(),
    'nio-udp': z
      .strictObject({
        listen: endpoint('127.0.0.1:5001', 'Where frames come in, one a datagram'),
        peer: endpoint('127.0.0.1:5000', 'Where they go to'),
      })
      .optional()
      .describe('Frames as UDP datagrams: QEMU -netdev dgram, GNS3, VPCS'),
    vxlan: z
      .strictObject({
        vni: integer(0, 2 ** 24 - 1, 'VXLAN network identifier'),
        listen: endpoint('10.9.0.1:4789', 'The address of this end'),
        peers: z.array(endpoint('10.9.0.2:4789', 'Another end')).min(1).max(64).describe('The other ends'),
      })
      .optional()
      .describe('A VXLAN tunnel (RFC 7348)'),
    netns: netns.optional(),
    address: subnet.optional(),
    mac: address(
      'a unicast MAC address',
      UNICAST_MAC,
      '02:4c:48:00:00:10',
      'MAC address that the TAP gets',
    ).optional(),
    mtu: mtu.optional(),
    vlan: z
      .strictObject({
        access: vid('Untagged frames of this VLAN').optional(),
        trunk: trunk.optional(),
        native: vid('VLAN of the untagged frames of a trunk').optional(),
      })
      .optional()
      .describe('802.1Q; on a bridge with VLANs, a port without this is in VLAN 1'),
    isolated: z.boolean().default(false).describe('Reaches only ports that are not isolated'),
    storm: z
      .strictObject({
        broadcast: storm('Broadcasts'),
        multicast: storm('Multicasts'),
        'unknown-unicast': storm('Frames for addresses not heard of'),
      })
      .optional()
      .describe('Limits of what is flooded'),
  })
  .describe('A port');

export const BRIDGE_KEYS = z
  .strictObject({
    name: word(
      'a name of letters, digits, dots and dashes',
      WORD,
      'two-sites',
      "The bridge's name; the file's by default",
    ).optional(),
    seed: integer(0, 0xffffffff, 'Seed of every random draw').prefault(1),
    fiber: FIBER_KEYS.prefault({}),
    qos: z
      .enum(QOS)
      .default('none')
      .describe('guest-first: ports with the role vmk wait for the others at the fiber'),
    spin: z.enum(SPINS).default('deadline').describe('When the fabric spins rather than sleeps'),
    bridge: z
      .strictObject({
        'mac-aging': seconds('1ms', '277h', 'How long an address is believed').prefault('300s'),
        'mac-capacity': integer(1, 2 ** 20, 'Addresses at most').prefault(8192),
        'vlan-aware': z
          .boolean()
          .optional()
          .describe('802.1Q; on by default when a port of the file has a vlan'),
        'link-local': z
          .enum(['drop', 'pass'])
          .default('drop')
          .describe('01-80-C2-00-00-0X between ports of a site'),
        'duplicate-mac': z
          .strictObject({
            moves: integer(2, 1000, 'So many moves').prefault(5),
            within: seconds('1ms', '24h', 'within this are too many').prefault('180s'),
            hold: seconds('0s', '24h', 'How long the address is then held; 0s: for good').prefault('0s'),
          })
          .optional()
          .describe('Holds addresses that keep moving (RFC 7432, 15.1); off when left out'),
      })
      .prefault({})
      .describe('Both bridges'),
    stretch: z
      .strictObject({
        'unknown-unicast': z
          .enum(['flood', 'drop'])
          .default('flood')
          .describe('Frames for addresses not heard of'),
        bpdu: z
          .enum(['drop', 'pass'])
          .default('drop')
          .describe('Spanning tree and other link-local protocols'),
        'first-hop': z.enum(['pass', 'drop']).default('pass').describe('HSRP, VRRP and GLBP'),
        'arp-suppression': z
          .enum(['on', 'off'])
          .default('off')
          .describe('Answers ARP and ND from what was heard'),
        mtu: mtu.optional(),
      })
      .prefault({})
      .describe('What passes between the sites'),
    ports: z.array(PORT_KEYS).max(100).default([]).describe('The ports'),
    control: z.string().min(1).optional().describe('Path of the control socket'),
    metrics: endpoint(
      '127.0.0.1:9464',
      'Where Prometheus metrics are given; off when left out',
      0,
    ).optional(),
  })
  .describe('A longhaul bridge');

export type BridgeKeys = z.output<typeof BRIDGE_KEYS>;
export type PortKeys = z.output<typeof PORT_KEYS>;
