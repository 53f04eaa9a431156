import * as assert from 'uvu/assert';
import { nowNs, PollSet } from '../../../src/sys/index.js';
import { Chain, newRegion, TcpLinks } from '../../../src/vmotion-protocol/transport/index.js';
import { suite } from '../../suite.js';

const test = suite('vmotion-protocol/transport/tcp links');
const HERE = 0x7f000001;

function chainOf(bytes: number): Chain {
  const chain = new Chain();
  chain.push(newRegion(bytes), 0, bytes);
  return chain;
}

test('a link that was closed wrote to whatever had its descriptor’s number next', () => {
  const polls = new PollSet(8);
  const at = { ip: HERE, port: 18_431 };
  const links = new TcpLinks(polls, at, at);
  const link = links.connect();
  const peer = links.accept()!;
  link.close();
  peer.close();
  for (let i = 0; i < 3; i++) links.takeIn(nowNs()); // both ends have seen the other's end: the descriptors are free
  const next = links.connect();
  const heard = links.accept()!;
  assert.is(link.send(chainOf(10)), false, 'refused');
  assert.is(link.receive(chainOf(10)), -1);
  assert.is(link.writable(), false);
  assert.is(heard.receive(chainOf(100)), 0, 'nothing has come over the new link');
  next.close();
  heard.close();
  links.close();
});

test('nobody listens there: the link says that it was refused', () => {
  const polls = new PollSet(8);
  const links = new TcpLinks(polls, { ip: HERE, port: 18_432 }, { ip: HERE, port: 18_433 });
  const link = links.connect();
  assert.is(link.send(chainOf(10)), false);
  assert.is(link.refused, true);
  link.close();
  links.close();
});

test.run();
