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

test.run();
