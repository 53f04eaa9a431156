/**
 * How hosts and clients hang on the fabric, chosen by trying.
 *
 *   netns     a namespace per station; its interface is a veth with AF_PACKET at the fabric's end, or a TAP
 *   loopback  a UDP socket per station: frames as datagrams, no kernel network between them
 */
import { writeFileSync } from 'node:fs';
import { EnvironmentError, messageOf } from '../core/index.js';
import type { PortSpec } from '../fabric/index.js';
import { openNioUdpPair } from '../l2/ports/index.js';
import {
  bringUp,
  closeFd,
  createNetns,
  createVeth,
  type InterfaceSettings,
  inNetns,
  openPacket,
  openTap,
  trySuperFrameBytes,
} from '../sys/index.js';
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
const NEAR_INTERFACE = 'near0';

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

/**
 * What the fabric's end of a station in a namespace is. A packet socket knows when each frame came, so a frame's
 * way through the fiber begins then and not when the fabric has woken up; a TAP passes more small frames.
 */
export type NetnsPorts = 'packet' | 'tap';

export interface ChosenAttach {
  readonly kind: AttachKind;
  /** One line: which, and why. */
  readonly why: string;
  /** Meaningful with `netns`. */
  readonly ports: NetnsPorts;
  /** How long the super-frames of a station's TCP may be; left out, as the kernel has it. Packet ports only. */
  readonly superFrameBytes?: number;
}

let veths = 0;

/** A name of at most 15 bytes, never used twice: the kernel removes a pair some time after its namespace is gone. */
export function vethName(): string {
  return `lh${process.pid}p${veths++ % 1000}`;
}

/**
 * Finds out what this machine allows by making one namespace with one interface and throwing it away.
 * @throws when neither kind of port can be had
 */
export function tryNetns(): NetnsPorts {
  const ns = createNetns();
  try {
    try {
      closeFd(openVethPort(ns, {}));
      return 'packet';
    } catch (e) {
      try {
        closeFd(inNetns(ns, () => openTap(INTERFACE, true)));
        return 'tap';
      } catch {
        throw e;
      }
    }
  } finally {
    closeFd(ns);
  }
}

/**
 * Chooses the attach. `auto` takes namespaces where they work, else loopback.
 * @param superFrameBytes how long the super-frames of a station's TCP may be
 * @throws EnvironmentError LAB_NO_NETNS when namespaces were asked for and cannot be had
 */
export function chooseAttach(wanted: 'auto' | AttachKind, superFrameBytes: number): ChosenAttach {
  if (wanted === 'loopback') return { kind: 'loopback', why: 'asked for', ports: 'packet' };
  try {
    const ports = tryNetns();
    const what =
      ports === 'packet' ? 'packet sockets on veth pairs' : 'TAP ports, since AF_PACKET is closed here';
    return { kind: 'netns', why: `network namespaces with ${what}`, ports, superFrameBytes };
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
      ports: 'packet',
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
  const fd =
    chosen.ports === 'tap'
      ? openTapPort(netnsFd, settings)
      : openVethPort(netnsFd, settings, chosen.superFrameBytes);
  inNetns(netnsFd, () => bringUp('lo'));
  const port: PortSpec = { name, site, role, kind: chosen.ports, fd };
  return { station, port, netnsFd, farFd: null, fabricUdpPort: null };
}

/** Gives back this process's ends of a station; the fabric has its own. */
export function closeStation({ netnsFd, farFd }: AttachedStation): void {
  if (netnsFd !== null) closeFd(netnsFd);
  if (farFd !== null) closeFd(farFd);
}

function openTapPort(netnsFd: number, settings: InterfaceSettings): number {
  return inNetns(netnsFd, () => {
    const fd = openTap(INTERFACE, true);
    bringUp(INTERFACE, { ...settings, txQueueFrames: TAP_QUEUE_FRAMES });
    return fd;
  });
}

/**
 * A veth pair whose near end has a namespace to itself, where nothing of this machine's network sees it or
 * speaks on it. The packet socket holds that namespace: both go when it is closed.
 */
function openVethPort(netnsFd: number, settings: InterfaceSettings, superFrameBytes?: number): number {
  const nearNetnsFd = createNetns();
  try {
    const fd = inNetns(nearNetnsFd, () => {
      silenceIpv6();
      createVeth(NEAR_INTERFACE, INTERFACE, netnsFd);
      if (superFrameBytes !== undefined) trySuperFrameBytes(NEAR_INTERFACE, superFrameBytes);
      bringUp(NEAR_INTERFACE, { mtu: NETNS_MTU });
      return openPacket(NEAR_INTERFACE, PACKET_BUFFER_BYTES);
    });
    inNetns(netnsFd, () => {
      if (superFrameBytes !== undefined) trySuperFrameBytes(INTERFACE, superFrameBytes);
      bringUp(INTERFACE, settings);
    });
    return fd;
  } finally {
    closeFd(nearNetnsFd);
  }
}

/** Keeps the kernel of the near end's namespace from soliciting routers and neighbours there. */
function silenceIpv6(): void {
  try {
    writeFileSync('/proc/sys/net/ipv6/conf/default/disable_ipv6', '1');
  } catch {
    // No IPv6 in this kernel, or a /proc that may not be written: a few frames more, which are counted.
  }
}
