/** A batch of reads and writes does the same by io_uring as by one call after another. */
import * as assert from 'uvu/assert';
import {
  closeFd,
  EAGAIN,
  type IoBatch,
  libc,
  MessageArray,
  NativeStruct,
  openIoBatch,
  setNonBlocking,
} from '../../src/sys/index.js';
import { suite } from '../suite.js';

const test = suite('sys/io-batch');
const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const EBADF = 9;

function socketPair(): [number, number] {
  const fds = new NativeStruct(8);
  assert.is(libc.socketpair(AF_UNIX, SOCK_DGRAM, 0, fds.address), 0);
  const ends: [number, number] = [fds.view.getInt32(0, true), fds.view.getInt32(4, true)];
  for (const fd of ends) setNonBlocking(fd);
  return ends;
}

function lackOf(kind: IoBatch['kind']): string | null {
  const batch = openIoBatch(8);
  batch.close();
  return kind === 'calls' || batch.kind === kind ? null : 'this kernel or sandbox forbids io_uring';
}

for (const kind of ['io_uring', 'calls'] as const) {
  const withBatch = (body: (batch: IoBatch, near: number, far: number) => void): (() => void) => {
    return () => {
      const [near, far] = socketPair();
      const batch = openIoBatch(8, kind);
      try {
        body(batch, near, far);
      } finally {
        batch.close();
        closeFd(near);
        closeFd(far);
      }
    };
  };
  const lack = lackOf(kind);

  test.when(
    lack,
    `${kind}: writes go out in order, reads past the last one would block`,
    withBatch((batch, near, far) => {
      const out = new NativeStruct(8);
      for (let i = 0; i < 5; i++) out.bytes[i] = 65 + i;
      for (let i = 0; i < 5; i++) batch.write(near, out.address, i + 1);
      assert.is(batch.size, 5);
      assert.is(batch.submit(), 5);
      assert.equal([...batch.results.subarray(0, 5)], [1, 2, 3, 4, 5]);
      assert.is(batch.size, 0);

      // Two places of two bytes each: the rest of a datagram is cut off.
      const places = new MessageArray(8);
      const into = new NativeStruct(64);
      for (let i = 0; i < 7; i++) {
        places.setPlace(i, 0, into.address + i * 8, 2);
        places.setPlace(i, 1, into.address + i * 8 + 4, 2);
        batch.readv(far, places.places(i), 2);
      }
      assert.is(batch.submit(), 7);
      assert.equal([...batch.results.subarray(0, 7)], [1, 2, 3, 4, 4, -EAGAIN, -EAGAIN]);
      assert.is(Buffer.from(into.bytes.subarray(16, 24)).toString('latin1'), 'AB\0\0C\0\0\0');
    }),
  );

  test.when(
    lack,
    `${kind}: an operation that fails stops none behind it`,
    withBatch((batch, near) => {
      const out = new NativeStruct(8);
      batch.write(near, out.address, 1);
      batch.write(9999, out.address, 1);
      batch.write(near, out.address, 2);
      assert.is(batch.submit(), 3);
      assert.equal([...batch.results.subarray(0, 3)], [1, -EBADF, 2]);
    }),
  );

  test.when(
    lack,
    `${kind}: messages are gathered from two places, and come with nothing when nothing came with them`,
    withBatch((batch, near, far) => {
      const text = new NativeStruct(8);
      text.setString(0, 'abcdef');
      const messages = new MessageArray(2);
      messages.setPlace(0, 0, text.address + 3, 3);
      messages.setPlace(0, 1, text.address, 3);
      batch.sendMessage(near, messages.header(0));
      assert.is(batch.submit(), 1);
      assert.is(batch.results[0], 6);
      const into = new NativeStruct(64);
      const inbox = new MessageArray(4);
      for (let i = 0; i < 4; i++) {
        inbox.setPlace(i, 0, into.address + i * 16, 8);
        inbox.setPlace(i, 1, into.address + i * 16 + 8, 8);
      }
      assert.is(inbox.receive(far, 4), 1);
      assert.is(inbox.receivedBytes(0), 6);
      assert.is(Buffer.from(into.bytes.subarray(0, 6)).toString('latin1'), 'defabc');
      assert.is(inbox.controlAt(0, 263, 8), -1);
      assert.is(inbox.receive(far, 4), -EAGAIN);
    }),
  );

  test.when(
    lack,
    `${kind}: one operation alone says what it did, be it nothing`,
    withBatch((batch, near, far) => {
      const text = new NativeStruct(8);
      const messages = new MessageArray(1);
      const into = new NativeStruct(64);
      messages.setPlace(0, 0, into.address, 8);
      messages.setPlace(0, 1, into.address + 8, 8);
      const alone = (push: () => void): number => {
        push();
        assert.is(batch.submit(), 1);
        return batch.results[0]!;
      };
      assert.is(
        alone(() => batch.readv(far, messages.places(0), 2)),
        -EAGAIN,
      );
      assert.is(
        alone(() => batch.write(near, text.address, 5)),
        5,
      );
      assert.is(
        alone(() => batch.readv(far, messages.places(0), 2)),
        5,
      );
      assert.is(
        alone(() => batch.write(-1, text.address, 5)),
        -EBADF,
      );
      assert.is(batch.submit(), 0);
    }),
  );

  test.when(
    lack,
    `${kind}: the batch is used for a thousand submits and as many wraps of its ring`,
    withBatch((batch, near, far) => {
      const bytes = new NativeStruct(8);
      const places = new MessageArray(1);
      places.setPlace(0, 0, bytes.address, 4);
      for (let round = 0; round < 1000; round++) {
        bytes.view.setUint32(0, round, true);
        batch.write(near, bytes.address, 4);
        batch.readv(far, places.places(0), 1);
        if (round % 3 === 0) batch.readv(far, places.places(0), 1);
        batch.submit();
        assert.is(batch.results[0], 4);
        assert.is(batch.results[1], 4);
        assert.is(bytes.view.getUint32(0, true), round);
      }
    }),
  );
}

test.run();
