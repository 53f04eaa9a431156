import * as assert from 'uvu/assert';
import { DatagramLinks } from '../../src/host/datagram-links.js';
import { closeFd, localEndpoint, nowNs, openUdp, PollSet } from '../../src/sys/index.js';
import { Chain, newRegion } from '../../src/vmotion-protocol/transport/index.js';
import { suite } from '../suite.js';

const test = suite('host/datagram links');
const LOOPBACK = 0x7f000001;

test('the last links broke while they were flushed: the loop slept for ever, and nobody heard of it', () => {
  const fd = openUdp({ ip: LOOPBACK, port: 0 });
  const far = openUdp({ ip: LOOPBACK, port: 0 });
  const { port } = localEndpoint(far);
  const attach = { kind: 'datagram', fd, fabricUdpPort: port, mac: 0x024c48000001, mtu: 9000 } as const;
  const at = (ip: number) => ({ ip, port: 8000 });
  const links = new DatagramLinks(new PollSet(4), attach, at(0x0a500001), at(0x0a500002));
  const link = links.connect();
  const chain = new Chain();
  chain.push(newRegion(64), 0, 64);
  assert.ok(link.send(chain));
  // Nothing answers: the stream gives up in a flush at the end of some turn of the loop.
  const laterNs = nowNs() + 60e9;
  links.flush(laterNs);
  assert.is(links.nextWakeNs(), 0, 'one more turn, in which the owners look at their links');
  assert.is(link.receive(chain), -1);
  links.takeIn(laterNs);
  links.flush(laterNs);
  assert.ok(links.nextWakeNs() > 0, 'and no more turns than that');
  closeFd(fd);
  closeFd(far);
});

test.run();
