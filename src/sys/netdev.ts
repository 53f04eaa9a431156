/**
 * Network interfaces of the calling thread's namespace, set by ioctl. netdevice(7).
 *
 *   struct ifreq { char name[16]; union { sockaddr | short flags | int ifindex | int mtu | … } }   40 bytes
 */
import { O_CLOEXEC } from './fd.js';
import { check, libc } from './libc.js';
import { NativeStruct } from './native-struct.js';
import { AF_INET, SOCK_DGRAM } from './socket.js';

const IFREQ_UNION = 16;
const IFREQ_SIZE = 40;
const SIOCGIFFLAGS = 0x8913;
const SIOCSIFFLAGS = 0x8914;
const SIOCSIFADDR = 0x8916;
const SIOCSIFNETMASK = 0x891c;
const SIOCSIFMTU = 0x8922;
const SIOCSIFHWADDR = 0x8924;
const SIOCGIFINDEX = 0x8933;
const SIOCSIFTXQLEN = 0x8943;
const IFF_UP = 1;
const ARPHRD_ETHER = 1;

const ifreq = new NativeStruct(IFREQ_SIZE);

function withControlSocket<T>(body: (fd: number) => T): T {
  const fd = check('socket(control)', libc.socket(AF_INET, SOCK_DGRAM | O_CLOEXEC, 0));
  try {
    return body(fd);
  } finally {
    libc.close(fd);
  }
}

function ask(fd: number, request: number, name: string, what: string): void {
  ifreq.setString(0, name);
  check(`${what} of ${name}`, libc.ioctl(fd, request, ifreq.address));
}

/** What an interface is to become; what is left out stays as it is. */
export interface InterfaceSettings {
  /** IPv4 address, 10.80.0.1 = 0x0a500001. */
  readonly ip?: number;
  readonly prefix?: number;
  readonly mtu?: number;
  /** MAC as a 48-bit number. */
  readonly mac?: number;
  readonly txQueueFrames?: number;
}

/** Sets an interface and brings it up. */
export function bringUp(name: string, settings: InterfaceSettings = {}): void {
  withControlSocket((fd) => {
    if (settings.mac !== undefined) {
      ifreq.bytes.fill(0);
      ifreq.view.setUint16(IFREQ_UNION, ARPHRD_ETHER, true);
      ifreq.view.setUint16(IFREQ_UNION + 2, Math.floor(settings.mac / 0x100000000), false);
      ifreq.view.setUint32(IFREQ_UNION + 4, settings.mac % 0x100000000, false);
      ask(fd, SIOCSIFHWADDR, name, 'set the MAC address');
    }
    if (settings.mtu !== undefined) {
      ifreq.bytes.fill(0);
      ifreq.view.setInt32(IFREQ_UNION, settings.mtu, true);
      ask(fd, SIOCSIFMTU, name, 'set the MTU');
    }
    if (settings.txQueueFrames !== undefined) {
      ifreq.bytes.fill(0);
      ifreq.view.setInt32(IFREQ_UNION, settings.txQueueFrames, true);
      ask(fd, SIOCSIFTXQLEN, name, 'set the queue length');
    }
    if (settings.ip !== undefined) {
      setAddress(fd, SIOCSIFADDR, name, settings.ip, 'set the address');
      const prefix = settings.prefix ?? 24;
      setAddress(fd, SIOCSIFNETMASK, name, (0xffffffff << (32 - prefix)) >>> 0, 'set the netmask');
    }
    ifreq.bytes.fill(0);
    ask(fd, SIOCGIFFLAGS, name, 'read the flags');
    ifreq.view.setUint16(IFREQ_UNION, ifreq.view.getUint16(IFREQ_UNION, true) | IFF_UP, true);
    ask(fd, SIOCSIFFLAGS, name, 'bring up');
  });
}

/** Takes an interface down: nothing passes, its settings stay. */
export function bringDown(name: string): void {
  withControlSocket((fd) => {
    ifreq.bytes.fill(0);
    ask(fd, SIOCGIFFLAGS, name, 'read the flags');
    ifreq.view.setUint16(IFREQ_UNION, ifreq.view.getUint16(IFREQ_UNION, true) & ~IFF_UP, true);
    ask(fd, SIOCSIFFLAGS, name, 'take down');
  });
}

/** The kernel's index of an interface. */
export function interfaceIndex(name: string): number {
  return withControlSocket((fd) => {
    ifreq.bytes.fill(0);
    ask(fd, SIOCGIFINDEX, name, 'find the index');
    return ifreq.view.getInt32(IFREQ_UNION, true);
  });
}

function setAddress(fd: number, request: number, name: string, ip: number, what: string): void {
  ifreq.bytes.fill(0);
  ifreq.view.setUint16(IFREQ_UNION, AF_INET, true);
  ifreq.view.setUint32(IFREQ_UNION + 4, ip, false);
  ask(fd, request, name, what);
}
