/**
 * AF_PACKET sockets with the virtio header: a port on an existing interface (a veth's near end) where TAP is
 * closed, as for an unprivileged user. packet(7).
 *
 *   struct sockaddr_ll { u16 family; u16 protocol (be); int ifindex; u16 hatype; u8 pkttype; u8 halen; u8 addr[8]; }
 */
import { O_CLOEXEC, O_NONBLOCK } from './fd.js';
import { check, libc } from './libc.js';
import { NativeStruct } from './native-struct.js';
import { interfaceIndex } from './netdev.js';
import { setBuffers, trySetOption } from './socket.js';

const AF_PACKET = 17;
const SOCK_RAW = 3;
const ETH_P_ALL_BE = 0x0300;
const SOL_PACKET = 263;
const PACKET_VNET_HDR = 15;
const PACKET_IGNORE_OUTGOING = 23;
const PACKET_QDISC_BYPASS = 20;
const SOCKADDR_LL_SIZE = 20;

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
    ] as const) {
      if (!trySetOption(fd, SOL_PACKET, option, 1)) check(`set ${what} on ${name}`, -1);
    }
    trySetOption(fd, SOL_PACKET, PACKET_QDISC_BYPASS, 1);
    setBuffers(fd, bufferBytes);
    const address = new NativeStruct(SOCKADDR_LL_SIZE);
    address.view.setUint16(0, AF_PACKET, true);
    address.view.setUint16(2, ETH_P_ALL_BE, true);
    address.view.setInt32(4, ifindex, true);
    check(`bind AF_PACKET to ${name}`, libc.bind(fd, address.address, SOCKADDR_LL_SIZE));
    return fd;
  } catch (e) {
    libc.close(fd);
    throw e;
  }
}
