/** The pure parts of the linux guest's image: the archive, the order of modules. Building it needs a mirror and is not done here. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { linuxImageFolder } from '../../../src/guest/linux/index.js';
import { dependsOf, loadOrder } from '../../../src/guest/linux/kernel-modules.js';
import { type ArchiveEntry, writeNewc } from '../../../src/guest/linux/newc.js';
import { suite } from '../../suite.js';

const test = suite('guest/linux');
const bytes = (text: string): Uint8Array => Buffer.from(text, 'latin1');

const ENTRIES: readonly ArchiveEntry[] = [
  { kind: 'file', path: 'init', content: bytes('#!/bin/sh\n'), executable: true },
  { kind: 'file', path: 'etc/deep/text', content: bytes('abc'), executable: false },
  { kind: 'link', path: 'bin/sh', target: 'busybox' },
];

test('an archive, byte by byte: one file of three bytes', () => {
  const archive = writeNewc([{ kind: 'file', path: 'a', content: bytes('xyz'), executable: false }]);
  const field = (n: number): string => n.toString(16).padStart(8, '0');
  const header = (...fields: number[]): string => `070701${fields.map(field).join('')}`;
  const expected =
    header(1, 0o100644, 0, 0, 1, 0, 3, 0, 0, 0, 0, 2, 0) +
    'a\0' + // header 110 + name 2 = 112: on a boundary of 4
    'xyz\0' + // content, padded
    header(0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 11, 0) +
    'TRAILER!!!\0' +
    '\0\0\0'; // 110 + 11 = 121, padded to 124
  assert.is(Buffer.from(archive).toString('latin1'), expected);
});

test('the same entries are the same bytes, and a path that stands twice is taken as it comes last', () => {
  assert.equal(writeNewc(ENTRIES), writeNewc(ENTRIES));
  const twice = writeNewc([...ENTRIES, { kind: 'link', path: 'init', target: 'bin/sh' }]);
  assert.is(Buffer.from(twice).toString('latin1').split('init\0').length, 2);
});

const cpioLack = spawnSync('cpio', ['--version']).status === 0 ? null : 'cpio is not installed';
test.when(cpioLack, 'cpio unpacks it: folders made, modes and links kept', () => {
  const dir = mkdtempSync(join(tmpdir(), 'newc-test-'));
  try {
    const { status, stderr } = spawnSync('cpio', ['-id', '--quiet'], { cwd: dir, input: writeNewc(ENTRIES) });
    assert.is(status, 0, String(stderr));
    assert.is(readFileSync(join(dir, 'etc/deep/text'), 'utf8'), 'abc');
    assert.is(statSync(join(dir, 'init')).mode & 0o777, 0o755);
    assert.is(readlinkSync(join(dir, 'bin/sh')), 'busybox');
  } finally {
    rmSync(dir, { recursive: true });
  }
});

/** As a module's section .modinfo lies in its file: strings with zeros between them. */
function module(depends: string): Uint8Array {
  return bytes(`ELF\x01rest\0license=GPL\0depends=${depends}\0name=x\0`);
}

test('a module names those that it uses', () => {
  assert.equal(dependsOf(module('virtio_ring,virtio')), ['virtio_ring', 'virtio']);
  assert.equal(dependsOf(module('')), []);
  assert.equal(dependsOf(bytes('softdepends=x\0')), [], 'the word stands at the beginning of a string');
  assert.equal(dependsOf(bytes('\0depends=cut')), ['cut'], 'a file that ends too early');
});

test('modules are loaded after those that they use, each once; what is built in has no file', () => {
  const files: Record<string, Uint8Array> = {
    ne2k_pci: module('8390'),
    '8390': module(''),
    virtio_net: module('net_failover,virtio_ring,virtio'),
    net_failover: module('failover'),
    failover: module(''),
    virtio_ring: module('virtio'),
  };
  const order = loadOrder(['ne2k-pci', 'virtio_net', 'ne2k_pci'], (name) => files[name] ?? null);
  assert.equal(
    order.map(({ name }) => name),
    ['8390', 'ne2k_pci', 'failover', 'net_failover', 'virtio_ring', 'virtio_net'],
  );
});

test('modules that use each other are refused, not followed for ever', () => {
  assert.throws(
    () => loadOrder(['a'], (name) => module(name === 'a' ? 'b' : 'a')),
    (e: { code?: string }) => e.code === 'GUEST_LINUX_PACKAGE',
  );
});

test('images are kept where the user keeps what can be made again', () => {
  assert.is(linuxImageFolder({ XDG_CACHE_HOME: '/c' }), '/c/longhaul/linux');
  assert.match(linuxImageFolder({}), /\.cache\/longhaul\/linux$/);
  assert.match(linuxImageFolder({ XDG_CACHE_HOME: 'not/absolute' }), /\.cache\/longhaul\/linux$/);
});

test.run();
