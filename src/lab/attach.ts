/**
 * How hosts and clients hang on the fabric, chosen by trying.
 *
 *   netns     a namespace per station; its interface is a TAP, or a veth with AF_PACKET at the fabric's end
 *   loopback  a UDP socket per station: frames as datagrams, no kernel network between them
 */
import { EnvironmentError, messageOf } from '../core/index.js';
import type { PortSpec } from '../fabric/index.js';
import { openNioUdpPair } from '../l2/ports/index.js';
import { bringUp, closeFd, createNetns, createVeth, inNetns, openPacket, openTap } from '../sys/index.js';
import type { Station } from './stations.js';

export type AttachKind = 'netns' | 'loopback';

/** Buffer of each end of a UDP port: what may wait while its owner is not scheduled. */
const NIO_BUFFER_BYTES = 4 * 2 ** 20;
const PACKET_BUFFER_BYTES = 16 * 2 ** 20;
/** Frames the kernel keeps for a TAP's reader: at 10 Gbit/s 1000 super-frames are 50 ms. */
const TAP_QUEUE_FRAMES = 2000;
export const NETNS_MTU = 1500;
/** Frames need no kernel interface here, so vMotion gets jumbo frames as its own network would have. */
export const LOOPBACK_VMK_MTU = 9000;
export const INTERFACE = 'eth0';

/** One station attached: what the fabric gets, and what the station's process gets. */
export interface AttachedStation {
  readonly station: Station;
  readonly port: PortSpec;
  /** netns: a descriptor of the namespace. */
  readonly netnsFd: number | null;
  /** loopback: the station's end of its UDP port, and the fabric's port number on 127.0.0.1. */
  readonly farFd: number | null;
  readonly fabricUdpPort: number | null;
}

export interface ChosenAttach {
  readonly kind: AttachKind;
  /** One line: which, and why. */
  readonly why: string;
  readonly tap: boolean;
}

let veths = 0;

/** A name of at most 15 bytes, never used twice: the kernel removes a pair some time after its namespace is gone. */
function vethName(): string {
  return `lh${process.pid}p${veths++ % 1000}`;
}

/** Finds out what this machine allows by making one namespace with one interface and throwing it away. */
export function tryNetns(): { readonly tap: boolean; readonly tapLack: string | null } {
  const ns = createNetns();
  try {
    try {
      closeFd(inNetns(ns, () => openTap('try0', true)));
      return { tap: true, tapLack: null };
    } catch (e) {
      const near = vethName();
      createVeth(near, 'try0', ns);
      bringUp(near);
      closeFd(openPacket(near, 65_536));
      return { tap: false, tapLack: messageOf(e) };
    }
  } finally {
    closeFd(ns);
  }
}

/**
 * Chooses the attach. `auto` takes namespaces where they work, else loopback.
 * @throws EnvironmentError LAB_NO_NETNS when namespaces were asked for and cannot be had
 */
export function chooseAttach(wanted: 'auto' | AttachKind): ChosenAttach {
  if (wanted === 'loopback') return { kind: 'loopback', why: 'asked for', tap: false };
  try {
    const { tap } = tryNetns();
    const ports = tap ? 'TAP ports' : 'AF_PACKET ports on veth pairs, since TAP is closed here';
    return { kind: 'netns', why: `network namespaces with ${ports}`, tap };
  } catch (e) {
    if (wanted === 'netns') {
      throw new EnvironmentError(
        'LAB_NO_NETNS',
        `--attach netns: no network namespace can be made here (${messageOf(e)})`,
        {
          hint: 'run as root or where `unshare -Urn true` works, or use --attach loopback',
          cause: e,
        },
      );
    }
    return {
      kind: 'loopback',
      why: `no network namespaces here (${messageOf(e).split(';')[0]})`,
      tap: false,
    };
  }
}

/** Attaches one station. Its descriptors belong to the caller, the port's to the fabric once it is added. */
export function attachStation(chosen: ChosenAttach, station: Station): AttachedStation {
  const { name, site, role } = station;
  if (chosen.kind === 'loopback') {
    const pair = openNioUdpPair(NIO_BUFFER_BYTES);
    const port: PortSpec = { name, site, role, kind: 'nio-udp', fd: pair.fabricFd };
    return { station, port, netnsFd: null, farFd: pair.farFd, fabricUdpPort: pair.fabricPort };
  }
  const netnsFd = createNetns();
  const settings = { ip: station.ip, prefix: station.prefix, mac: station.mac, mtu: NETNS_MTU };
  let fd: number;
  if (chosen.tap) {
    fd = inNetns(netnsFd, () => {
      const tap = openTap(INTERFACE, true);
      bringUp(INTERFACE, { ...settings, txQueueFrames: TAP_QUEUE_FRAMES });
      return tap;
    });
  } else {
    const near = vethName();
    createVeth(near, INTERFACE, netnsFd);
    bringUp(near, { mtu: NETNS_MTU });
    fd = openPacket(near, PACKET_BUFFER_BYTES);
    inNetns(netnsFd, () => bringUp(INTERFACE, settings));
  }
  inNetns(netnsFd, () => bringUp('lo'));
  const port: PortSpec = { name, site, role, kind: chosen.tap ? 'tap' : 'packet', fd };
  return { station, port, netnsFd, farFd: null, fabricUdpPort: null };
}
