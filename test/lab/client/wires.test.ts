import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import * as assert from 'uvu/assert';
import { openKernelWire } from '../../../src/lab/client/wires.js';
import { closeFd, connectUdp, NativeStruct, openUdp, sendBytes } from '../../../src/sys/index.js';
import { suite } from '../../suite.js';

const test = suite('lab/client/wires');

const LOOPBACK = 0x7f000001;
/** What a guest has to answer at once when it has stood at a missing page for a second and a half. */
const BACKLOG = 1500;

test('a guest that answers a second of requests at once: a client that is not scheduled meanwhile loses none', async () => {
  let came = 0;
  const wire = await openKernelWire({ onDatagram: () => came++, onEcho: () => {} }, null);
  const guest = createSocket('udp4');
  guest.bind(0, '127.0.0.1');
  await once(guest, 'listening');
  try {
    wire.sendDatagram(LOOPBACK, guest.address().port, new Uint8Array(20));
    const [, from] = (await once(guest, 'message')) as [Buffer, { readonly port: number }];
    const fd = openUdp({ ip: LOOPBACK, port: 0 });
    connectUdp(fd, { ip: LOOPBACK, port: from.port });
    const answer = new NativeStruct(36);
    for (let i = 0; i < BACKLOG; i++) assert.is(sendBytes(fd, answer.address, 36), 36);
    closeFd(fd);
    for (let before = -1; came > before; ) {
      before = came;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    // Without privilege the kernel bounds the socket: then what it drops is counted.
    assert.is(came + wire.dropped(), BACKLOG);
    if (process.getuid?.() === 0) assert.is(came, BACKLOG);
  } finally {
    guest.close();
    wire.close();
  }
});

test.run();
