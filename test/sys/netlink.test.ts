import { spawnSync } from 'node:child_process';
import * as assert from 'uvu/assert';
import { isLonghaulError, messageOf } from '../../src/core/index.js';
import { tryNetns } from '../../src/lab/attach.js';
import {
  closeFd,
  createNetns,
  createVeth,
  inNetns,
  interfaceIndex,
  removeInterface,
  trySuperFrameBytes,
} from '../../src/sys/index.js';
import { suite } from '../suite.js';

const test = suite('sys/netlink');

function lackOfNetns(): string | null {
  try {
    tryNetns();
    return null;
  } catch (e) {
    return `no network namespaces here: ${messageOf(e)}`;
  }
}

test.when(lackOfNetns(), 'a veth pair is made across two namespaces, and goes with either end', () => {
  const [near, far] = [createNetns(), createNetns()];
  const absent = (netns: number, name: string): boolean => {
    try {
      inNetns(netns, () => interfaceIndex(name));
      return false;
    } catch (e) {
      return isLonghaulError(e, 'SYS_ENODEV');
    }
  };
  try {
    inNetns(near, () => createVeth('one', 'other', far));
    assert.not.ok(absent(near, 'one'));
    assert.not.ok(absent(far, 'other'));
    inNetns(far, () => removeInterface('other'));
    assert.ok(absent(near, 'one'));
    assert.ok(absent(far, 'other'));
    assert.throws(() => inNetns(far, () => removeInterface('other')), /other failed with ENODEV/);
  } finally {
    closeFd(near);
    closeFd(far);
  }
});

function lackOfIp(): string | null {
  const lack = lackOfNetns();
  if (lack !== null) return lack;
  return spawnSync('ip', ['-V']).status === 0
    ? null
    : 'the program ip (Debian package iproute2) is not there';
}

test.when(
  lackOfIp(),
  'an interface is told how long super-frames may be, shorter and longer than usual',
  () => {
    const [near, far] = [createNetns(), createNetns()];
    const limits = (): readonly [ipv6: number, ipv4: number] => {
      const { stdout } = inNetns(near, () => spawnSync('ip', ['-d', '-j', 'link', 'show', 'one']));
      const [link] = JSON.parse(String(stdout));
      return [link.gso_max_size, link.gso_ipv4_max_size ?? link.gso_max_size];
    };
    try {
      inNetns(near, () => createVeth('one', 'other', far));
      assert.ok(inNetns(near, () => trySuperFrameBytes('one', 25_000)));
      assert.equal(limits(), [25_000, 25_000]);
      assert.ok(inNetns(near, () => trySuperFrameBytes('one', 65_536)));
      assert.equal(limits(), [65_536, 65_536]);
      // IPv6 would put a header in front of longer ones that nothing here knows.
      if (inNetns(near, () => trySuperFrameBytes('one', 262_144))) assert.is(limits()[0], 65_536);
    } finally {
      closeFd(near);
      closeFd(far);
    }
  },
);

test.run();
