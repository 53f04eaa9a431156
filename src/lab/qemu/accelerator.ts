/**
 * Which accelerator QEMU takes, found by booting the guest: a /dev/kvm that opens may still run nothing (nested
 * virtualisation that was never finished, a container that passes the device alone).
 */
import { accessSync, constants } from 'node:fs';
import { EnvironmentError, messageOf } from '../../core/index.js';
import { openNioUdpPair } from '../../l2/ports/index.js';
import { type Accelerator, type QemuErrorCode, QemuProcess, type QemuStart } from '../../qemu/index.js';
import { closeFd } from '../../sys/index.js';

/** A guest that runs on the processor has said its first words long before. */
const TRIAL_MS = 3000;
const KVM = '/dev/kvm';

/**
 * @param asked auto takes kvm where it boots the guest, else tcg
 * @returns why, where a reader of the result should know
 * @throws EnvironmentError QEMU_CANNOT when kvm was asked for and boots nothing
 */
export async function chooseAccelerator(
  asked: 'auto' | Accelerator,
  readyText: string,
  trial: Omit<QemuStart, 'begin' | 'nicFd'>,
): Promise<{ readonly chosen: Accelerator; readonly why: string | null }> {
  if (asked === 'tcg') return { chosen: 'tcg', why: null };
  const lack = await kvmLack(readyText, trial);
  if (lack === null) return { chosen: 'kvm', why: null };
  if (asked === 'auto') return { chosen: 'tcg', why: `QEMU emulates the guest (TCG), since ${lack}` };
  throw new EnvironmentError<QemuErrorCode>('QEMU_CANNOT', `--accel kvm: ${lack}`, {
    hint: 'use --accel tcg, or a machine whose processor virtualises',
  });
}

async function kvmLack(readyText: string, trial: Omit<QemuStart, 'begin' | 'nicFd'>): Promise<string | null> {
  try {
    accessSync(KVM, constants.R_OK | constants.W_OK);
  } catch {
    return `${KVM} is not open to this user`;
  }
  const pair = openNioUdpPair(2 ** 16);
  try {
    const qemu = await QemuProcess.start({ ...trial, begin: 'boots', nicFd: pair.farFd });
    try {
      await qemu.qmp.execute('cont', {});
      return (await qemu.hears(readyText, TRIAL_MS))
        ? null
        : `a guest on ${KVM} did not boot within ${TRIAL_MS / 1000} s`;
    } finally {
      await qemu.end();
    }
  } catch (e) {
    return messageOf(e);
  } finally {
    closeFd(pair.farFd);
    closeFd(pair.fabricFd);
  }
}
