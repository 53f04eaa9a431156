/**
 * Sockets for loops that never return to libuv: IPv4 UDP and TCP, non-blocking. ip(7), udp(7), tcp(7).
 *
 *   struct sockaddr_in { u16 family = 2; u16 port (be); u32 address (be); u8 zero[8]; }   16 bytes
 *
 * Where a thread has an event loop, `node:dgram` and `node:net` serve instead.
 */
import { EAGAIN, ECONNREFUSED, EINPROGRESS, EINTR, sysError } from './errno.js';
import { O_CLOEXEC, O_NONBLOCK } from './fd.js';
import { check, errno, libc } from './libc.js';
import { NativeStruct } from './native-struct.js';

export const AF_INET = 2;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
const SOCKADDR_IN_SIZE = 16;

export const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_ERROR = 4;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const SO_NO_CHECK = 11;
const SO_MEMINFO = 55;
/** enum sk_meminfo_vars of linux/sock_diag.h: nine words, the last one SK_MEMINFO_DROPS. */
const MEMINFO_WORDS = 9;
const IPPROTO_IP = 0;
const IP_MTU_DISCOVER = 10;
const IP_PMTUDISC_DO = 2;
const IPPROTO_TCP = 6;
const SIOCOUTQNSD = 0x894b;
const TCP_NODELAY = 1;
const TCP_USER_TIMEOUT = 18;
const TCP_QUICKACK = 12;
const TCP_NOTSENT_LOWAT = 25;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;

/** An IPv4 endpoint; the address is an unsigned 32-bit number, 127.0.0.1 = 0x7f000001. */
export interface Endpoint {
  readonly ip: number;
  readonly port: number;
}

const sockaddr = new NativeStruct(SOCKADDR_IN_SIZE);
const word = new NativeStruct(8);
const memoryInfo = new NativeStruct(MEMINFO_WORDS * 4 + 4);

function putAddress(e: Endpoint): number {
  sockaddr.bytes.fill(0, 0, SOCKADDR_IN_SIZE);
  sockaddr.view.setUint16(0, AF_INET, true);
  sockaddr.view.setUint16(2, e.port, false);
  sockaddr.view.setUint32(4, e.ip, false);
  return sockaddr.address;
}

/** Sets an integer socket option; false when the kernel refuses. */
export function trySetOption(fd: number, level: number, name: number, value: number): boolean {
  word.view.setInt32(0, value, true);
  return libc.setsockopt(fd, level, name, word.address, 4) === 0;
}

/** Asks for socket buffers of this many bytes, past the system's limit where this process may. */
export function setBuffers(fd: number, bytes: number): void {
  if (!trySetOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, bytes)) trySetOption(fd, SOL_SOCKET, SO_RCVBUF, bytes);
  if (!trySetOption(fd, SOL_SOCKET, SO_SNDBUFFORCE, bytes)) trySetOption(fd, SOL_SOCKET, SO_SNDBUF, bytes);
}

/** The local address of a bound socket. */
export function localEndpoint(fd: number): Endpoint {
  word.view.setUint32(0, SOCKADDR_IN_SIZE, true);
  check('getsockname', libc.getsockname(fd, sockaddr.address, word.address));
  return { port: sockaddr.view.getUint16(2, false), ip: sockaddr.view.getUint32(4, false) };
}

/** A bound non-blocking UDP socket. Port 0 lets the kernel choose. */
export function openUdp(local: Endpoint): number {
  const fd = check('socket(UDP)', libc.socket(AF_INET, SOCK_DGRAM | O_NONBLOCK | O_CLOEXEC, 0));
  if (libc.bind(fd, putAddress(local), SOCKADDR_IN_SIZE) === -1) {
    const e = errno();
    libc.close(fd);
    throw sysError(`bind UDP port ${local.port}`, e);
  }
  return fd;
}

/**
 * For the ends of a tunnel over UDP, which must neither fragment (RFC 7348, 4.3) nor spend time on a second
 * checksum (section 5: SHOULD be zero): a datagram longer than the path's MTU gets EMSGSIZE. ip(7), socket(7)
 */
export function setTunnelOptions(fd: number): void {
  trySetOption(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO);
  trySetOption(fd, SOL_SOCKET, SO_NO_CHECK, 1);
}

/** Fixes a UDP socket's peer: sends need no address and datagrams from others are not delivered. */
export function connectUdp(fd: number, peer: Endpoint): void {
  check(`connect UDP to port ${peer.port}`, libc.connect(fd, putAddress(peer), SOCKADDR_IN_SIZE));
}

/** A listening TCP socket. */
export function listenTcp(local: Endpoint, backlog = 32): number {
  const fd = check('socket(TCP)', libc.socket(AF_INET, SOCK_STREAM | O_NONBLOCK | O_CLOEXEC, 0));
  trySetOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (libc.bind(fd, putAddress(local), SOCKADDR_IN_SIZE) === -1 || libc.listen(fd, backlog) === -1) {
    const e = errno();
    libc.close(fd);
    throw sysError(`listen on TCP port ${local.port}`, e);
  }
  return fd;
}

/** The next waiting connection's descriptor, or -1 when there is none. */
export function acceptTcp(fd: number): number {
  const conn = libc.accept4(fd, 0, 0, O_NONBLOCK | O_CLOEXEC);
  if (conn !== -1) trySetOption(conn, IPPROTO_TCP, TCP_NODELAY, 1);
  return conn;
}

/** Begins a TCP connection; it is there (or failed: see `socketError`) when the descriptor is writable. */
export function connectTcp(peer: Endpoint): number {
  const fd = check('socket(TCP)', libc.socket(AF_INET, SOCK_STREAM | O_NONBLOCK | O_CLOEXEC, 0));
  trySetOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  if (libc.connect(fd, putAddress(peer), SOCKADDR_IN_SIZE) === -1) {
    const e = errno();
    if (e !== EINPROGRESS) {
      libc.close(fd);
      throw sysError(`connect TCP to port ${peer.port}`, e);
    }
  }
  return fd;
}

/** Limits how long sent bytes may stay unacknowledged before the connection counts as broken. */
export function setTcpUserTimeout(fd: number, ms: number): void {
  trySetOption(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, ms);
}

/** Limits the bytes that wait unsent in the socket: beyond them it takes no more. */
export function setTcpBacklog(fd: number, bytes: number): void {
  trySetOption(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, bytes);
}

/** Bytes that wait in a TCP socket and have not been sent once; 0 when it does not say. tcp(7), SIOCOUTQNSD. */
export function unsentBytes(fd: number): number {
  return libc.ioctl(fd, SIOCOUTQNSD, word.address) === 0 ? word.view.getInt32(0, true) : 0;
}

/** Acknowledges at once instead of after a delay; the kernel forgets it, so repeat it. */
export function setQuickAck(fd: number): void {
  trySetOption(fd, IPPROTO_TCP, TCP_QUICKACK, 1);
}

/** The pending error of a socket (SO_ERROR) as an errno; 0 when there is none. */
export function socketError(fd: number): number {
  word.view.setUint32(4, 4, true);
  word.view.setInt32(0, 0, true);
  libc.getsockopt(fd, SOL_SOCKET, SO_ERROR, word.address, word.address + 4);
  return word.view.getInt32(0, true);
}

/** Datagrams that the kernel has dropped at this socket so far, since its buffer was full. socket(7), SO_MEMINFO */
export function droppedAtSocket(fd: number): number {
  const { view, address } = memoryInfo;
  const length = MEMINFO_WORDS * 4;
  view.setUint32(length, length, true);
  if (libc.getsockopt(fd, SOL_SOCKET, SO_MEMINFO, address, address + length) === -1) return 0;
  return view.getUint32(length - 4, true);
}

/**
 * Sends bytes on a connected socket.
 * @returns bytes taken; -1 when it would block; a connected UDP socket whose peer is not there yet also gives -1
 */
export function sendBytes(fd: number, address: number, length: number): number {
  const n = libc.send(fd, address, length, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (n !== -1) return n;
  const e = errno();
  if (e === EAGAIN || e === EINTR || e === ECONNREFUSED) return -1;
  throw sysError('send', e);
}

/** Receives into memory. @returns bytes; 0 at the end of a stream; -1 when there is nothing */
export function receiveBytes(fd: number, address: number, length: number): number {
  const n = libc.recv(fd, address, length, MSG_DONTWAIT);
  if (n !== -1) return n;
  const e = errno();
  if (e === EAGAIN || e === EINTR || e === ECONNREFUSED) return -1;
  throw sysError('recv', e);
}

const SHUT_WR = 1;

/** Tells the peer that nothing more comes; receiving goes on. */
export function endSending(fd: number): void {
  libc.shutdown(fd, SHUT_WR);
}

const AF_UNIX = 1;

/** Two connected non-blocking sockets that keep message boundaries; unix(7). @returns both descriptors */
export function openDatagramPair(bufferBytes: number): [number, number] {
  check('socketpair', libc.socketpair(AF_UNIX, SOCK_DGRAM | O_NONBLOCK | O_CLOEXEC, 0, word.address));
  const pair: [number, number] = [word.view.getInt32(0, true), word.view.getInt32(4, true)];
  for (const fd of pair) setBuffers(fd, bufferBytes);
  return pair;
}
