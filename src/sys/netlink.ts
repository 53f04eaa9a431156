/**
 * The rtnetlink requests this project needs: a veth pair whose far end lies in another namespace, its end, and how
 * long its super-frames may be.
 * rtnetlink(7), veth(4), linux/if_link.h.
 *
 *   nlmsghdr 16 │ ifinfomsg 16 │ IFLA_IFNAME near │ IFLA_LINKINFO { KIND "veth", DATA { PEER: ifinfomsg,
 *                                                   IFLA_IFNAME far, IFLA_NET_NS_FD } }
 */

import { sysError } from './errno.js';
import { O_CLOEXEC } from './fd.js';
import { check, libc } from './libc.js';
import { NativeStruct } from './native-struct.js';
import { interfaceIndex } from './netdev.js';

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const NETLINK_ROUTE = 0;
const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const NLM_F_REQUEST = 1;
const NLM_F_ACK = 4;
const NLM_F_EXCL = 0x200;
const NLM_F_CREATE = 0x400;
const NLMSG_ERROR = 2;
const IFLA_IFNAME = 3;
const IFLA_LINKINFO = 18;
/** Linux 6.3. */
const IFLA_GSO_MAX_SIZE = 41;
const IFLA_GSO_IPV4_MAX_SIZE = 63;
const LEGACY_MAX_BYTES = 65_536;
const IFLA_NET_NS_FD = 28;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const VETH_INFO_PEER = 1;
const NLMSGHDR_SIZE = 16;
const IFINFOMSG_SIZE = 16;
/** Within ifinfomsg. */
const IFI_INDEX = 4;

/** Makes a veth pair: `near` in the calling thread's namespace, `far` in the one behind `farNetnsFd`. Both down. */
export function createVeth(near: string, far: string, farNetnsFd: number): void {
  const m = new NativeStruct(512);
  let at = NLMSGHDR_SIZE + IFINFOMSG_SIZE;
  const open = (type: number): number => {
    m.view.setUint16(at + 2, type, true);
    at += 4;
    return at - 4;
  };
  const close = (start: number): void => {
    m.view.setUint16(start, at - start, true);
    at = (at + 3) & ~3;
  };
  const text = (type: number, value: string): void => {
    const a = open(type);
    m.setString(at, value);
    at += value.length + 1;
    close(a);
  };
  text(IFLA_IFNAME, near);
  const info = open(IFLA_LINKINFO);
  text(IFLA_INFO_KIND, 'veth');
  const data = open(IFLA_INFO_DATA);
  const peer = open(VETH_INFO_PEER);
  at += IFINFOMSG_SIZE;
  text(IFLA_IFNAME, far);
  const ns = open(IFLA_NET_NS_FD);
  m.view.setUint32(at, farNetnsFd, true);
  at += 4;
  close(ns);
  close(peer);
  close(data);
  close(info);
  request(m, at, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, `make veth ${near}–${far}`);
}

/** Removes an interface of the calling thread's namespace; of a veth pair both ends go. */
export function removeInterface(name: string): void {
  const m = new NativeStruct(512);
  m.view.setInt32(NLMSGHDR_SIZE + IFI_INDEX, interfaceIndex(name), true);
  request(m, NLMSGHDR_SIZE + IFINFOMSG_SIZE, RTM_DELLINK, 0, `remove ${name}`);
}

/**
 * Says how long the super-frames may be that TCP hands the interface. Above 64 KiB ("BIG TCP") it is IPv4 alone, and
 * their total length is 0. Both ends of a veth pair have to be told: what is longer than the interface that it leaves
 * by takes is segmented in software.
 * @returns false where the kernel or the interface knows no such thing: then it stays as it was
 */
export function trySuperFrameBytes(name: string, bytes: number): boolean {
  const m = new NativeStruct(512);
  let at = NLMSGHDR_SIZE + IFINFOMSG_SIZE;
  m.view.setInt32(NLMSGHDR_SIZE + IFI_INDEX, interfaceIndex(name), true);
  for (const attribute of bytes > LEGACY_MAX_BYTES
    ? [IFLA_GSO_IPV4_MAX_SIZE]
    : [IFLA_GSO_MAX_SIZE, IFLA_GSO_IPV4_MAX_SIZE]) {
    m.view.setUint16(at, 8, true);
    m.view.setUint16(at + 2, attribute, true);
    m.view.setUint32(at + 4, bytes, true);
    at += 8;
  }
  return answerTo(m, at, RTM_NEWLINK, 0) === 0;
}

/** Sends a request of `length` bytes, its header filled in here, and waits for the acknowledgement. */
function request(m: NativeStruct, length: number, type: number, flags: number, what: string): void {
  const error = answerTo(m, length, type, flags);
  if (error !== 0) throw sysError(what, error);
}

/** The same. @returns the errno of the answer, 0 when it was done */
function answerTo(m: NativeStruct, length: number, type: number, flags: number): number {
  m.view.setUint32(0, length, true);
  m.view.setUint16(4, type, true);
  m.view.setUint16(6, NLM_F_REQUEST | NLM_F_ACK | flags, true);
  const fd = check('socket(netlink)', libc.socket(AF_NETLINK, SOCK_RAW | O_CLOEXEC, NETLINK_ROUTE));
  try {
    check('send to rtnetlink', libc.send(fd, m.address, length, 0));
    check('receive from rtnetlink', libc.recv(fd, m.address, 512, 0));
    const answer = m.view.getUint16(4, true);
    return answer === NLMSG_ERROR ? -m.view.getInt32(NLMSGHDR_SIZE, true) : 0;
  } finally {
    libc.close(fd);
  }
}
