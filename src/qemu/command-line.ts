/** The words that QEMU is started with. Pure. */

export const ACCELERATORS = ['tcg', 'kvm'] as const;
export type Accelerator = (typeof ACCELERATORS)[number];

/** Descriptors under which QEMU finds what it is handed: stdin, stdout and stderr stand before them. */
export const QMP_FD = 3;
export const SERIAL_FD = 4;
export const NIC_FD = 5;

export interface QemuMachine {
  readonly accelerator: Accelerator;
  readonly memoryBytes: number;
  /** A kernel that a multiboot loader or Linux's boot protocol starts; booted without any disk. */
  readonly image: string;
  readonly initrd: string | null;
  /** The kernel's command line. */
  readonly parameters: string;
  /** MAC of the one network card, `02:4c:48:00:00:10`. */
  readonly mac: string;
}

/** Whether a QEMU boots a guest, or waits for one; it stands then until `cont`, or is to run as soon as the guest is there. */
export type QemuBegin = 'boots' | 'takes-over' | 'stands-by';

/**
 * @param begin 'boots': the machine stands until `cont`; the others wait for `migrate-incoming`
 * @returns argv without the program
 */
export function qemuArguments(m: QemuMachine, begin: QemuBegin): string[] {
  return [
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-vga', 'none'],
    // A guest that faults three times over ends its QEMU, instead of booting again unseen.
    '-no-reboot',
    ...['-machine', `pc,accel=${m.accelerator}`],
    ...['-m', `${m.memoryBytes / 2 ** 10}K`],
    ...['-kernel', m.image],
    ...(m.initrd === null ? [] : ['-initrd', m.initrd]),
    ...['-append', m.parameters],
    ...['-chardev', `socket,id=qmp,fd=${QMP_FD}`, '-mon', 'chardev=qmp,mode=control'],
    ...['-chardev', `socket,id=line,fd=${SERIAL_FD}`, '-serial', 'chardev:line'],
    // The socket is connected already, to the fabric's end of a NIO-UDP port: one datagram, one frame.
    ...['-netdev', `dgram,id=net,local.type=fd,local.str=${NIC_FD}`],
    // Without an option ROM the machine does not try to boot from the network.
    ...['-device', `virtio-net-pci,netdev=net,mac=${m.mac},romfile=`],
    ...(begin === 'boots' ? [] : ['-incoming', 'defer']),
    ...(begin === 'takes-over' ? [] : ['-S']),
  ];
}
