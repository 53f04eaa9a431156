/**
 * TAP devices with the virtio header, so that the kernel hands over super-frames of TCP (TSO) and UDP (USO) uncut.
 * Documentation/networking/tuntap.rst, virtio 1.2 section 5.1.6.
 *
 * The device is made in the calling thread's network namespace and stays there; the descriptor works from
 * anywhere, and the device is gone when it is closed. Each read and write moves one frame:
 *
 *   virtio_net_hdr (10 bytes, host byte order):  flags u8 │ gso_type u8 │ hdr_len u16 │ gso_size u16 │
 *                                                csum_start u16 │ csum_offset u16
 */
import { O_NONBLOCK, O_RDWR, openFd } from './fd.js';
import { check, libc } from './libc.js';
import { NativeStruct } from './native-struct.js';

const TUNSETIFF = 0x400454ca;
const TUNSETOFFLOAD = 0x400454d0;
const TUNSETSNDBUF = 0x400454d4;
const IFF_TAP = 0x0002;
const IFF_NO_PI = 0x1000;
const IFF_VNET_HDR = 0x4000;
const TUN_F_CSUM = 1;
const TUN_F_TSO4 = 2;
const TUN_F_TSO6 = 4;
const TUN_F_TSO_ECN = 8;
/** UDP segmentation, Linux 6.2; taken only as a pair. */
const TUN_F_USO4 = 0x20;
const TUN_F_USO6 = 0x40;

/** Bytes of virtio_net_hdr before each frame. */
export const VNET_HDR_SIZE = 10;

/**
 * Makes a TAP device named `name` in the calling thread's network namespace.
 * @param offload let the kernel hand out super-frames of up to 64 KiB with checksums pending
 * @throws EnvironmentError SYS_EACCES or SYS_ENOENT where /dev/net/tun is closed or missing
 */
export function openTap(name: string, offload: boolean): number {
  const fd = openFd('/dev/net/tun', O_RDWR | O_NONBLOCK);
  try {
    const ifreq = new NativeStruct(40);
    ifreq.setString(0, name);
    ifreq.view.setUint16(16, IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, true);
    check(`make TAP ${name}`, libc.ioctl(fd, TUNSETIFF, ifreq.address));
    const features = offload ? TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN : 0;
    const uso = offload ? TUN_F_USO4 | TUN_F_USO6 : 0;
    // An older kernel refuses USO as a whole and segments UDP itself.
    if (libc.ioctl(fd, TUNSETOFFLOAD, features | uso) === -1)
      check(`set the offload of TAP ${name}`, libc.ioctl(fd, TUNSETOFFLOAD, features));
    // The default send buffer of a TAP is unlimited; keep it so, but say so where a kernel differs.
    ifreq.view.setInt32(0, 0x7fffffff, true);
    libc.ioctl(fd, TUNSETSNDBUF, ifreq.address);
    return fd;
  } catch (e) {
    libc.close(fd);
    throw e;
  }
}
