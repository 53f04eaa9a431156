/**
 * Makes what a planned port hangs on, and takes it away again.
 *
 *   tap        a TAP where it is open to us, else a veth pair with AF_PACKET at the fabric's end
 *   interface  AF_PACKET on an interface that is there; it is left as it was
 *   nio-udp    a UDP socket with one peer
 *   vxlan      a UDP socket with its peers
 *
 * A TAP goes with its descriptor, which the fabric owns and closes. So all that is left to undo is a veth pair,
 * and the namespace.
 */
import { EnvironmentError, isLonghaulError, messageOf } from '../../core/index.js';
import type { PortSpec } from '../../fabric/index.js';
import { parseIpv4 } from '../../l2/index.js';
import { openVxlanSockets } from '../../l2/ports/index.js';
import {
  bringUp,
  closeFd,
  connectUdp,
  createVeth,
  inNetns,
  O_RDONLY,
  openFd,
  openPacket,
  openTap,
  openUdp,
  removeInterface,
  setBuffers,
} from '../../sys/index.js';
import { vethName } from '../attach.js';
import { enterNetnsCommand, type NamespaceSet, type OpenNetns } from '../named-netns.js';
import type { PlannedPort, PortAttach } from './file.js';
import type { HostPort } from './keys.js';

/** What may wait in the kernel while the fabric does something else. */
const SOCKET_BUFFER_BYTES = 16 * 2 ** 20;
const TAP_QUEUE_FRAMES = 2000;
/** What a failed TAP means: not that the name is bad, but that /dev/net/tun is closed to us or missing. */
const TAP_CLOSED = ['SYS_EACCES', 'SYS_EPERM', 'SYS_ENOENT', 'SYS_ENODEV', 'SYS_ENXIO'];

export interface OpenPort {
  readonly spec: PortSpec;
  /** One line of what it hangs on. */
  readonly attach: string;
  /** The words before a command that then runs where the port's far end is; null when that is here. */
  readonly enter: string | null;
  /** Worth saying once; null mostly. */
  readonly note: string | null;
  /** Gives the namespace back. The descriptor is the fabric's. */
  leave(): void;
}

/** @throws EnvironmentError LAB_PORT_OPEN, with what to do */
export function openPort(port: PlannedPort, namespaces: NamespaceSet): OpenPort {
  let netns: OpenNetns | null = null;
  try {
    netns = port.netns === null ? null : namespaces.enter(port.netns);
    const opened = open(port.attach, port, netns);
    const where = netns === null ? '' : ` in ${netns.name}`;
    return {
      spec: { name: port.name, site: port.site, role: port.role, options: port.options, ...opened.spec },
      attach: `${opened.veth === undefined ? describe(port.attach) : describe(port.attach).replace('tap', 'veth')}${where}`,
      enter: netns === null ? null : enterNetnsCommand(netns.fd, netns.named ? netns.name : null),
      note: opened.note,
      leave: () => {
        if (opened.veth !== undefined) removeQuietly(opened.veth);
        if (port.netns !== null) namespaces.leave(port.netns);
      },
    };
  } catch (cause) {
    if (netns !== null) namespaces.leave(netns.name);
    throw new EnvironmentError(
      'LAB_PORT_OPEN',
      `port ${port.name}: ${describe(port.attach)} cannot be had (${messageOf(cause).split(';')[0]})`,
      {
        cause,
        hint: remedy(port, cause),
      },
    );
  }
}

interface Opened {
  readonly spec: Pick<PortSpec, 'kind' | 'fd' | 'vxlan'>;
  readonly note: string | null;
  /** An interface that outlives its descriptor. */
  readonly veth?: string;
}

function open(attach: PortAttach, port: PlannedPort, netns: OpenNetns | null): Opened {
  const inside = <T>(body: () => T): T => (netns === null ? body() : inNetns(netns.fd, body));
  switch (attach.kind) {
    case 'tap':
      return makeInterface(attach, port.options.mtuBytes, netns, inside);
    case 'interface':
      return {
        spec: { kind: 'packet', fd: inside(() => openPacket(attach.device, SOCKET_BUFFER_BYTES)) },
        note: null,
      };
    case 'nio-udp': {
      const fd = inside(() => openUdp(endpointOf(attach.listen)));
      return owning(fd, () => {
        connectUdp(fd, endpointOf(attach.peer));
        setBuffers(fd, SOCKET_BUFFER_BYTES);
        return { spec: { kind: 'nio-udp', fd }, note: null };
      });
    }
    case 'vxlan': {
      const { vni, listen, peers } = attach;
      const sockets = inside(() =>
        openVxlanSockets(parseIpv4(listen.host), SOCKET_BUFFER_BYTES, listen.port),
      );
      const vxlan = { vni, peers: peers.map(endpointOf), senderFds: sockets.senderFds };
      return { spec: { kind: 'vxlan', fd: sockets.fd, vxlan }, note: null };
    }
  }
}

/** A TAP, or a veth pair whose far end has the TAP's name. */
function makeInterface(
  { device, address, mac }: Extract<PortAttach, { kind: 'tap' }>,
  mtu: number | undefined,
  netns: OpenNetns | null,
  inside: <T>(body: () => T) => T,
): Opened {
  const settings = {
    ...(address === null ? {} : address),
    ...(mac === null ? {} : { mac }),
    ...(mtu === undefined ? {} : { mtu }),
  };
  let closed: string;
  try {
    const fd = inside(() => openTap(device, true));
    return owning(fd, () => {
      inside(() => bringUp(device, { ...settings, txQueueFrames: TAP_QUEUE_FRAMES }));
      return { spec: { kind: 'tap', fd }, note: null };
    });
  } catch (e) {
    if (!isLonghaulError(e) || !TAP_CLOSED.includes(e.code)) throw e;
    closed = messageOf(e).split(';')[0]!;
  }
  const near = vethName();
  const farFd = netns?.fd ?? openFd('/proc/thread-self/ns/net', O_RDONLY);
  try {
    createVeth(near, device, farFd);
  } finally {
    if (netns === null) closeFd(farFd);
  }
  try {
    bringUp(near, mtu === undefined ? {} : { mtu });
    inside(() => bringUp(device, settings));
    const note = `${device} is a veth, since TAP is closed here: ${closed}`;
    return { spec: { kind: 'packet', fd: openPacket(near, SOCKET_BUFFER_BYTES) }, note, veth: near };
  } catch (e) {
    removeQuietly(near);
    throw e;
  }
}

function removeQuietly(device: string): void {
  try {
    removeInterface(device);
  } catch {
    // It went with its far end.
  }
}

/** Closes the descriptor when what is still to be done to it fails. */
function owning<T>(fd: number, body: () => T): T {
  try {
    return body();
  } catch (e) {
    closeFd(fd);
    throw e;
  }
}

function endpointOf({ host, port }: HostPort): { ip: number; port: number } {
  return { ip: parseIpv4(host), port };
}

function describe(attach: PortAttach): string {
  const at = ({ host, port }: HostPort): string => `${host}:${port}`;
  switch (attach.kind) {
    case 'tap':
    case 'interface':
      return `${attach.kind} ${attach.device}`;
    case 'nio-udp':
      return `nio-udp ${at(attach.listen)} ↔ ${at(attach.peer)}`;
    case 'vxlan':
      return `vxlan ${attach.vni} ${at(attach.listen)} ↔ ${attach.peers.map(at).join(', ')}`;
  }
}

function remedy({ attach, netns }: PlannedPort, cause: unknown): string {
  const code = isLonghaulError(cause) ? cause.code : '';
  if (code === 'SYS_EPERM' || code === 'SYS_EACCES') {
    const ofHost = attach.kind === 'interface' || netns !== null;
    return ofHost
      ? 'run as root: interfaces and namespaces of the host are open to no one else'
      : 'run as root, or where `unshare -Urn true` works';
  }
  switch (attach.kind) {
    case 'tap':
      return 'give the interface another name; `ip link` shows those that are taken';
    case 'interface':
      return `name one that \`${netns === null ? '' : `ip netns exec ${netns} `}ip link\` shows`;
    default:
      return 'listen on an address of this machine and a port that no other program has';
  }
}
