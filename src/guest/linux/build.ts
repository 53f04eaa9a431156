/**
 * Makes the linux guest from Debian's i386 packages: a kernel, and an initramfs with busybox, an SSH server and the
 * drivers of the network cards that the x86 machine of this project may have.
 *
 *   apt lists ─► packages ─► one tree ─► what is needed of it ─► initramfs.img
 *                                   └──────────────────────────► vmlinuz, bios.bin
 */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { EnvironmentError, LonghaulError } from '../../core/index.js';
import { DebianPackages } from './debian.js';
import type { LinuxImageErrorCode } from './errors.js';
import { loadOrder, moduleName } from './kernel-modules.js';
import { type ArchiveEntry, writeNewc } from './newc.js';

/** What the first process does; a file of its own, so that it can be read and changed. */
const INIT = fileURLToPath(new URL('../../../../guest-images/linux/init', import.meta.url));
/** Stands for the newest kernel for any 32-bit processor. */
const KERNEL = 'linux-image-686';
const PROGRAMS = ['busybox-static', 'dropbear-bin'];
/** An emulated PC that boots Linux wants a BIOS. */
const BIOS = { packageName: 'seabios', path: 'usr/share/seabios/bios.bin' };
const DRIVERS = ['ne2k-pci', 'virtio_net', 'virtio_pci'];

export interface LinuxImage {
  readonly folder: string;
  readonly kernel: string;
  readonly initramfs: string;
  readonly bios: string;
  /** Debian's version of the kernel, `6.1.0-50-686`. */
  readonly version: string;
  readonly bytes: number;
  /** What apt complained of, though all that is needed came. */
  readonly complaint: string | null;
}

/** Where images are kept by default: $XDG_CACHE_HOME, else ~/.cache. */
export function linuxImageFolder(env: Readonly<Record<string, string | undefined>> = process.env): string {
  const cache = env.XDG_CACHE_HOME;
  return join(cache?.startsWith('/') ? cache : join(homedir(), '.cache'), 'longhaul', 'linux');
}

/**
 * Builds it; what was in the folder before is replaced only when all went well.
 * @param onStep told in one line what is done next
 * @throws EnvironmentError GUEST_LINUX_TOOLS; LonghaulError GUEST_LINUX_PACKAGE, GUEST_LINUX_FOLDER
 */
export async function buildLinux(folder: string, onStep: (text: string) => void): Promise<LinuxImage> {
  for (const program of ['apt-get', 'apt-cache', 'dpkg-deb']) requireTool(program);
  const work = workFolder(folder);
  try {
    const debian = new DebianPackages(join(work, 'apt'));
    onStep('fetching the lists of i386 packages');
    const complaint = await debian.update();
    const kernel = await debian.standsFor(KERNEL);
    const packages = [kernel, ...(await debian.withNeeds([...PROGRAMS, BIOS.packageName]))];
    onStep(`fetching ${packages.length} packages, the kernel is ${kernel}`);
    const tree = join(work, 'tree');
    mkdirSync(tree);
    await debian.unpack(packages, tree);
    onStep('writing kernel and initramfs');
    const version = kernel.replace(/^linux-image-/, '');
    const vmlinuz = readFileSync(join(tree, 'boot', `vmlinuz-${version}`));
    const initramfs = gzipSync(writeNewc(contentOf(tree, version)));
    const bios = readFileSync(join(tree, BIOS.path));
    const made = { kernel: 'vmlinuz', initramfs: 'initramfs.img', bios: 'bios.bin' };
    writeFileSync(join(work, made.kernel), vmlinuz);
    writeFileSync(join(work, made.initramfs), initramfs);
    writeFileSync(join(work, made.bios), bios);
    for (const name of Object.values(made)) renameSync(join(work, name), join(folder, name));
    return {
      folder,
      kernel: join(folder, made.kernel),
      initramfs: join(folder, made.initramfs),
      bios: join(folder, made.bios),
      version,
      bytes: vmlinuz.length + initramfs.length + bios.length,
      complaint,
    };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function requireTool(program: string): void {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' });
  } catch (cause) {
    throw new EnvironmentError<LinuxImageErrorCode>('GUEST_LINUX_TOOLS', `${program} is not here`, {
      cause,
      hint: 'build on Debian or one of its kin, and copy vmlinuz and initramfs.img from there',
    });
  }
}

function workFolder(folder: string): string {
  try {
    mkdirSync(folder, { recursive: true });
    return mkdtempSync(join(folder, '.build-'));
  } catch (cause) {
    throw new LonghaulError<LinuxImageErrorCode>('GUEST_LINUX_FOLDER', `${folder} cannot be written`, {
      cause,
      hint: 'give another folder, --into DIR',
    });
  }
}

/** Every file below a folder, by its path from there. */
function filesBelow(root: string, below = ''): string[] {
  return readdirSync(join(root, below), { withFileTypes: true }).flatMap((e) =>
    e.isDirectory() ? filesBelow(root, join(below, e.name)) : [join(below, e.name)],
  );
}

function contentOf(tree: string, version: string): ArchiveEntry[] {
  const file = (path: string, from: string, executable: boolean): ArchiveEntry => ({
    kind: 'file',
    path,
    content: readFileSync(from),
    executable,
  });
  const text = (path: string, content: string): ArchiveEntry => ({
    kind: 'file',
    path,
    content: Buffer.from(content),
    executable: false,
  });
  const modules = modulesOf(tree, version);
  return [
    file('init', INIT, true),
    file('bin/busybox', join(tree, 'bin/busybox'), true),
    // Until busybox has put its names in place there is no shell to run init with.
    { kind: 'link', path: 'bin/sh', target: 'busybox' },
    file('usr/sbin/dropbear', join(tree, 'usr/sbin/dropbear'), true),
    ...libraries(tree),
    ...modules.map(({ name, content }): ArchiveEntry => {
      return { kind: 'file', path: `lib/modules/${name}.ko`, content, executable: false };
    }),
    text('lib/modules/order', modules.map(({ name }) => `${name}\n`).join('')),
    // Root may log in without a password: the segment is this run's own, and nobody else is on it.
    text('etc/passwd', 'root::0:0:root:/root:/bin/sh\n'),
    text('etc/group', 'root:x:0:\n'),
    text('etc/shells', '/bin/sh\n'),
  ];
}

/** Shared libraries with their names, wherever their package has put them. */
function libraries(tree: string): ArchiveEntry[] {
  return filesBelow(tree)
    .filter((path) => /^(usr\/)?lib\/.*\.so(\.\d+)*$/.test(path) && !/\/(gconv|audit)\//.test(path))
    .flatMap((path): ArchiveEntry[] => {
      const from = join(tree, path);
      const status = lstatSync(from);
      if (status.isSymbolicLink()) {
        // All stand in one folder here: a link between folders would lead to itself.
        const target = basename(readlinkSync(from));
        return target === basename(path) ? [] : [{ kind: 'link', path: `lib/${basename(path)}`, target }];
      }
      const content = readFileSync(from);
      return [{ kind: 'file', path: `lib/${basename(path)}`, content, executable: true }];
    });
}

function modulesOf(tree: string, version: string): ReturnType<typeof loadOrder> {
  const root = join(tree, 'lib/modules', version, 'kernel');
  if (!existsSync(root)) {
    throw new LonghaulError<LinuxImageErrorCode>(
      'GUEST_LINUX_PACKAGE',
      `the kernel's package has no modules of ${version}`,
    );
  }
  const byName = new Map(
    filesBelow(root)
      .filter((path) => path.endsWith('.ko'))
      .map((path) => [moduleName(basename(path)), join(root, path)]),
  );
  return loadOrder(DRIVERS, (name) => {
    const path = byName.get(name);
    return path === undefined ? null : readFileSync(path);
  });
}
