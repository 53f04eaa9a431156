/** The kernel's own veth pair: the floor that every emulator is compared with. */
import { formatIpv4 } from '../../../src/l2/index.js';
import { bringUp, createNetns, createVeth, inNetns, trySuperFrameBytes } from '../../../src/sys/index.js';
import { closeEnds, type End, type Testbed } from '../testbed.js';

const MTU = 1500;
const INTERFACE = 'eth0';
const BASE_IP = 0x0a500100;
const BASE_MAC = 0x024c48000000;

/** @param superFrameBytes how long super-frames may be; left out, the kernel's 64 KiB */
export function vethTestbed(superFrameBytes?: number): Testbed {
  const ends = [1, 2].map(
    (n): End => ({
      netnsFd: createNetns(),
      interfaceName: INTERFACE,
      ip: formatIpv4(BASE_IP + n),
      mac: BASE_MAC + n,
    }),
  ) as [End, End];
  inNetns(ends[0].netnsFd, () => createVeth(INTERFACE, INTERFACE, ends[1].netnsFd));
  for (const [i, end] of ends.entries()) {
    inNetns(end.netnsFd, () => {
      if (superFrameBytes !== undefined) trySuperFrameBytes(INTERFACE, superFrameBytes);
      bringUp(INTERFACE, { ip: BASE_IP + 1 + i, prefix: 24, mac: end.mac, mtu: MTU });
      bringUp('lo');
    });
  }
  return {
    name: 'veth',
    ends,
    cpuSeconds: () => 0,
    close: async () => closeEnds(ends),
  };
}
