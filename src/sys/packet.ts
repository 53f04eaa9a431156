/**
 * AF_PACKET sockets with the virtio header: a port on an existing interface, be it a trunk to real switches or
 * a veth's near end where TAP is closed, as for an unprivileged user. packet(7).
 *
 * The interface is left as it is (addresses, offload, MTU); it is promiscuous for as long as the socket is open.
 * The kernel takes the outermost VLAN tag off before a packet socket sees the frame, and says in a control
 * message which it was:
 *
 *   struct tpacket_auxdata { u32 status; u32 len; u32 snaplen; u16 mac; u16 net; u16 vlan_tci; u16 vlan_tpid; }
 *   struct sockaddr_ll { u16 family; u16 protocol (be); int ifindex; u16 hatype; u8 pkttype; u8 halen; u8 addr[8]; }
 */
import { compareClocks } from './clock.js';
import { O_CLOEXEC, O_NONBLOCK } from './fd.js';
import { check, libc } from './libc.js';
import type { MessageArray } from './message-array.js';
import { NativeStruct } from './native-struct.js';
import { interfaceIndex } from './netdev.js';
import { setBuffers, trySetOption } from './socket.js';

const AF_PACKET = 17;
const SOCK_RAW = 3;
const ETH_P_ALL_BE = 0x0300;
const SOL_SOCKET = 1;
const SO_TIMESTAMPNS = 35;
const SOL_PACKET = 263;
const PACKET_ADD_MEMBERSHIP = 1;
const PACKET_AUXDATA = 8;
const PACKET_VNET_HDR = 15;
const PACKET_IGNORE_OUTGOING = 23;
const PACKET_QDISC_BYPASS = 20;
const SOCKADDR_LL_SIZE = 20;
/** struct packet_mreq { int ifindex; u16 type; u16 alen; u8 address[8]; } */
const PACKET_MREQ_SIZE = 16;
const PACKET_MR_PROMISC = 1;

const AUXDATA_STATUS = 0;
const AUXDATA_VLAN_TCI = 16;
const AUXDATA_VLAN_TPID = 18;
const TP_STATUS_VLAN_VALID = 1 << 4;
const TP_STATUS_VLAN_TPID_VALID = 1 << 6;
const TPID_8021Q = 0x8100;

/**
 * Opens a raw socket on interface `name` of the calling thread's namespace. Frames carry the 10-byte virtio
 * header both ways; frames that this host sends out of the interface are not seen.
 */
export function openPacket(name: string, bufferBytes: number): number {
  const ifindex = interfaceIndex(name);
  const fd = check('socket(AF_PACKET)', libc.socket(AF_PACKET, SOCK_RAW | O_NONBLOCK | O_CLOEXEC, 0));
  try {
    for (const [option, what] of [
      [PACKET_VNET_HDR, 'PACKET_VNET_HDR'],
      [PACKET_IGNORE_OUTGOING, 'PACKET_IGNORE_OUTGOING'],
      [PACKET_AUXDATA, 'PACKET_AUXDATA'],
    ] as const) {
      if (!trySetOption(fd, SOL_PACKET, option, 1)) check(`set ${what} on ${name}`, -1);
    }
    trySetOption(fd, SOL_PACKET, PACKET_QDISC_BYPASS, 1);
    // Without it the reader takes the time of its own reading: later, never wrong.
    trySetOption(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
    setBuffers(fd, bufferBytes);
    const address = new NativeStruct(SOCKADDR_LL_SIZE);
    address.view.setUint16(0, AF_PACKET, true);
    address.view.setUint16(2, ETH_P_ALL_BE, true);
    address.view.setInt32(4, ifindex, true);
    check(`bind AF_PACKET to ${name}`, libc.bind(fd, address.address, SOCKADDR_LL_SIZE));
    const membership = new NativeStruct(PACKET_MREQ_SIZE);
    membership.view.setInt32(0, ifindex, true);
    membership.view.setUint16(4, PACKET_MR_PROMISC, true);
    check(
      `make ${name} promiscuous`,
      libc.setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, membership.address, PACKET_MREQ_SIZE),
    );
    return fd;
  } catch (e) {
    libc.close(fd);
    throw e;
  }
}

/** The VLAN tag (TPID << 16 | TCI) that the kernel took off received message `i`; 0 when it took none. */
export function strippedVlanTag(messages: MessageArray, i: number): number {
  const at = messages.controlAt(i, SOL_PACKET, PACKET_AUXDATA);
  if (at < 0) return 0;
  const status = messages.control.getUint32(at + AUXDATA_STATUS, true);
  if ((status & TP_STATUS_VLAN_VALID) === 0) return 0;
  const named = (status & TP_STATUS_VLAN_TPID_VALID) !== 0;
  const tpid = named ? messages.control.getUint16(at + AUXDATA_VLAN_TPID, true) : TPID_8021Q;
  return ((tpid << 16) | messages.control.getUint16(at + AUXDATA_VLAN_TCI, true)) >>> 0;
}

/** How long a comparison of the two clocks is believed: their distance moves when someone sets or steers the time. */
const COMPARISON_BELIEVED_NS = 100e6;
/** CLOCK_MONOTONIC at the beginning of this second of CLOCK_REALTIME; times since then are exact in a number. */
let epochSeconds = 0;
let epochNs = 0;
/** Since the epoch. */
let comparedNs = Number.NEGATIVE_INFINITY;

/** When the kernel took received message `i`, on CLOCK_MONOTONIC (a stamp is on CLOCK_REALTIME); 0 when it does not say. */
export function kernelArrivalNs(messages: MessageArray, i: number): number {
  const at = messages.controlAt(i, SOL_SOCKET, SO_TIMESTAMPNS);
  if (at < 0) return 0;
  const { control } = messages;
  const seconds = control.getUint32(at, true) + control.getInt32(at + 4, true) * 0x1_0000_0000;
  const fractionNs = control.getUint32(at + 8, true);
  let sinceEpochNs = (seconds - epochSeconds) * 1e9 + fractionNs;
  if (!(Math.abs(sinceEpochNs - comparedNs) < COMPARISON_BELIEVED_NS)) {
    const clocks = compareClocks();
    epochSeconds = clocks.realtimeSeconds;
    epochNs = clocks.monotonicNs;
    sinceEpochNs = (seconds - epochSeconds) * 1e9 + fractionNs;
    comparedNs = sinceEpochNs;
  }
  return epochNs + sinceEpochNs;
}
