import * as assert from 'uvu/assert';
import { ConfigError, NS_PER_S, WOKE } from '../../src/core/index.js';
import {
  ARP_REPLY,
  ARP_REQUEST,
  arpFrame,
  BROADCAST_MAC,
  describeFrame,
  EndStation,
  echoCodec,
  echoMessage,
  finishSum,
  parseIpv4,
  parseMac,
  type StationAction,
  type StationCounters,
  type StationEvent,
  udpFrame,
  writeIpv4,
} from '../../src/l2/index.js';
import { suite } from '../suite.js';

const test = suite('l2/station');

const US = { mac: parseMac('52:54:00:00:00:01'), ip: parseIpv4('10.0.0.1') };
const PEER = { mac: parseMac('52:54:00:00:00:02'), ip: parseIpv4('10.0.0.2') };
const fromPeer = { srcMac: PEER.mac, dstMac: US.mac, srcIp: PEER.ip, dstIp: US.ip, ipId: 1 };
const text = (s: string): Uint8Array => new TextEncoder().encode(s);

function assertCloses(c: StationCounters): void {
  const sum = (o: object): number => Object.values(o).reduce((a, b) => a + b, 0);
  assert.is(c.framesIn, c.arp + c.echoRequests + c.echoReplies + c.unreachable + c.udp + sum(c.drops));
  assert.is(c.requested, c.sent + c.pending + sum(c.refusals));
}

/** Actions as text: frames by their line, the rest by what they say. */
function told(action: StationAction): string {
  switch (action.type) {
    case 'send':
      return describeFrame(action.bytes).replace(/, length \d+:/, '');
    case 'udp-received':
      return `udp ${action.from.port}>${action.toPort} ${new TextDecoder().decode(action.payload)}`;
    case 'echo-reply-received':
      return `reply ${action.id}/${action.seq} ${new TextDecoder().decode(action.payload)}`;
    case 'unreachable-received':
      return `unreachable ${action.code}, ${action.fromPort}>${action.to.port}`;
  }
}

/** A station with a script: at(t).give(event) answers with what it did, and the sums must close. */
function station(config = {}) {
  const machine = new EndStation({ ...US, ...config });
  const give = (nowNs: number, event: StationEvent): string[] => {
    const out: StationAction[] = [];
    machine.step(nowNs, event, out);
    assertCloses(machine.counters());
    return out.map(told);
  };
  const frame = (nowNs: number, bytes: Uint8Array) => give(nowNs, { type: 'frame-received', bytes });
  const udp = (nowNs: number, s: string, to = { ip: PEER.ip, port: 5000 }) =>
    give(nowNs, { type: 'udp-requested', to, fromPort: 4000, payload: text(s) });
  const wake = (nowNs: number) => give(nowNs, WOKE);
  return { machine, give, frame, udp, wake };
}

const peerArp = (operation: number, change: object = {}): Uint8Array => {
  const packet = {
    operation,
    senderMac: PEER.mac,
    senderIp: PEER.ip,
    targetMac: US.mac,
    targetIp: US.ip,
    ...change,
  };
  return arpFrame(operation === ARP_REQUEST ? BROADCAST_MAC : US.mac, PEER.mac, packet);
};

const ASK = '52:54:00:00:00:01 > ff:ff:ff:ff:ff:ff ARP who-has 10.0.0.2 tell 10.0.0.1';
const SENT = '52:54:00:00:00:01 > 52:54:00:00:00:02 IP 10.0.0.1.4000 > 10.0.0.2.5000: UDP, length ';

test('answers who asks for its address, and only for its own', () => {
  const { frame, machine } = station();
  assert.equal(frame(0, peerArp(ARP_REQUEST)), [
    '52:54:00:00:00:01 > 52:54:00:00:00:02 ARP 10.0.0.1 is-at 52:54:00:00:00:01',
  ]);
  assert.equal(frame(1, peerArp(ARP_REQUEST, { targetIp: parseIpv4('10.0.0.3') })), []);
  assert.equal(frame(2, peerArp(ARP_REPLY)), []);
  assert.is(machine.nextWakeNs(), Number.POSITIVE_INFINITY);
});

test('an address probe is answered, and teaches nothing', () => {
  const { frame, udp } = station();
  assert.is(frame(0, peerArp(ARP_REQUEST, { senderIp: 0 })).length, 1);
  assert.equal(udp(1, 'x'), [ASK]);
});

test('asks before its first datagram, and sends what waited in order', () => {
  const { frame, udp, machine } = station();
  assert.equal(udp(0, 'a'), [ASK]);
  assert.equal(udp(1, 'bb'), []);
  assert.is(machine.counters().pending, 2);
  assert.equal(frame(800_000, peerArp(ARP_REPLY)), [`${SENT}1`, `${SENT}2`]);
  assert.equal(udp(900_000, 'ccc'), [`${SENT}3`]);
  assert.is(machine.nextWakeNs(), Number.POSITIVE_INFINITY);
});

test('a peer that asked us is known already', () => {
  const { frame, udp } = station();
  frame(0, peerArp(ARP_REQUEST));
  assert.equal(udp(1, 'a'), [`${SENT}1`]);
});

test('a guest that wakes up among strangers answers the first datagram without asking', () => {
  const { frame, udp } = station();
  assert.equal(frame(0, udpFrame(fromPeer, 5000, 4000, text('hello'))), ['udp 5000>4000 hello']);
  assert.equal(udp(1, 'a'), [`${SENT}1`]);
});

test('a datagram does not overwrite what ARP said', () => {
  const { frame, udp } = station();
  frame(0, peerArp(ARP_REQUEST));
  frame(1, udpFrame({ ...fromPeer, srcMac: 0x525400000066 }, 5000, 4000, text('liar')));
  assert.equal(udp(2, 'a'), [`${SENT}1`]);
});

test('asks three times a second apart, then gives up and counts', () => {
  const { udp, wake, machine } = station();
  assert.equal(udp(0, 'a'), [ASK]);
  assert.is(machine.nextWakeNs(), NS_PER_S);
  assert.equal(wake(NS_PER_S - 1), []);
  assert.equal(wake(NS_PER_S), [ASK]);
  assert.equal(wake(2 * NS_PER_S), [ASK]);
  assert.equal(wake(3 * NS_PER_S), []);
  assert.is(machine.counters().refusals.unresolved, 1);
  assert.is(machine.nextWakeNs(), Number.POSITIVE_INFINITY);
  assert.equal(udp(4 * NS_PER_S, 'b'), [ASK], 'the next datagram begins anew');
});

test('64 frames wait for one address, for 64 addresses; the rest are refused', () => {
  const { udp, machine } = station({ prefix: 16 });
  for (let i = 0; i < 70; i++) udp(0, 'x');
  assert.is(machine.counters().pending, 64);
  assert.is(machine.counters().refusals['pending-full'], 6);
  for (let i = 0; i < 70; i++) udp(0, 'x', { ip: parseIpv4('10.0.1.0') + i, port: 1 });
  assert.is(machine.counters().pending, 64 + 63);
  assert.is(machine.counters().refusals['pending-full'], 6 + 7);
});

test('a peer that moved to another MAC is followed at its announcement', () => {
  const { frame, udp } = station();
  frame(0, peerArp(ARP_REQUEST));
  frame(1, peerArp(ARP_REPLY, { senderMac: 0x525400000099, targetIp: PEER.ip }));
  assert.match(udp(2, 'a')[0]!, '> 52:54:00:00:00:99 IP');
});

test('a stranger’s announcement is not remembered, a neighbour is asked again after 20 minutes', () => {
  const { frame, udp } = station();
  frame(0, peerArp(ARP_REPLY, { targetIp: PEER.ip }));
  assert.equal(udp(1, 'a'), [ASK]);
  frame(2, peerArp(ARP_REPLY));
  assert.equal(udp(2 + 1200 * NS_PER_S, 'a'), [`${SENT}1`]);
  assert.equal(udp(3 + 1200 * NS_PER_S, 'a'), [ASK]);
});

test('someone else with our address is counted', () => {
  const { frame, machine } = station();
  frame(0, peerArp(ARP_REPLY, { senderIp: US.ip }));
  assert.is(machine.counters().addressConflicts, 1);
});

test('answers a ping byte for byte, odd lengths too, and knows its own answers', () => {
  const { frame, give } = station();
  const payload = text('seventeen bytes !');
  const request = echoCodec.encode(fromPeer, { kind: 'echo-request', id: 7, seq: 9, payload });
  const out: StationAction[] = [];
  new EndStation(US).step(0, { type: 'frame-received', bytes: request }, out);
  const [answer] = out;
  assert.ok(answer?.type === 'send' && out.length === 1);
  const echo = echoCodec.decode(answer.bytes);
  assert.ok(echo.ok);
  assert.equal(echo.value, {
    ...{ srcMac: US.mac, dstMac: PEER.mac, srcIp: US.ip, dstIp: PEER.ip, ipId: 1 },
    ...{ kind: 'echo-reply', id: 7, seq: 9, payload },
  });
  assert.equal(frame(0, echoCodec.encode(fromPeer, { kind: 'echo-reply', id: 7, seq: 9, payload })), [
    'reply 7/9 seventeen bytes !',
  ]);
  assert.equal(give(1, { type: 'echo-requested', to: PEER.ip, id: 7, seq: 10, payload }), [
    '52:54:00:00:00:01 > 52:54:00:00:00:02 IP 10.0.0.1 > 10.0.0.2: ICMP echo request, id 7, seq 10, length 25',
  ]);
});

test('two stations talk', () => {
  const a = new EndStation(US);
  const b = new EndStation(PEER);
  const heard: string[] = [];
  const toA: Uint8Array[] = [];
  const toB: Uint8Array[] = [];
  const carry = (actions: StationAction[], to: Uint8Array[]): void => {
    for (const action of actions) {
      if (action.type === 'send') to.push(action.bytes);
      else heard.push(told(action));
    }
  };
  const out: StationAction[] = [];
  a.sendEcho(0, PEER.ip, 1, 1, text('ping'), out);
  a.sendUdp(0, { ip: PEER.ip, port: 9 }, 8, text('hi'), out);
  carry(out, toB);
  for (let hop = 0; hop < 10; hop++) {
    const [station_, from, back] = hop % 2 === 0 ? [b, toB, toA] : [a, toA, toB];
    const actions: StationAction[] = [];
    for (const bytes of from.splice(0)) station_.receive(hop, bytes, actions);
    carry(actions, back);
  }
  assert.equal(heard, ['udp 8>9 hi', 'reply 1/1 ping']);
  assert.equal([toA, toB], [[], []]);
});

test('broadcast is sent without asking, heard by all, and a broadcast ping is not answered', () => {
  const { frame, udp, machine } = station();
  assert.match(udp(0, 'x', { ip: parseIpv4('10.0.0.255'), port: 1 })[0]!, '> ff:ff:ff:ff:ff:ff IP');
  const everybody = { ...fromPeer, dstMac: BROADCAST_MAC, dstIp: parseIpv4('10.0.0.255') };
  assert.equal(frame(1, udpFrame(everybody, 1, 2, text('all'))), ['udp 1>2 all']);
  const ping = { kind: 'echo-request', id: 1, seq: 1, payload: text('') } as const;
  assert.equal(frame(2, echoCodec.encode(everybody, ping)), []);
  assert.is(machine.counters().drops['other-icmp'], 1);
});

test('what cannot be sent is refused with its reason', () => {
  const { give, udp, machine } = station({ mtu: 600 });
  const payload = new Uint8Array(573); // 20 + 8 + 573 = one byte too many
  const to = { ip: PEER.ip, port: 1 };
  assert.equal(give(0, { type: 'udp-requested', to, fromPort: 1, payload }), []);
  assert.equal(give(0, { type: 'echo-requested', to: PEER.ip, id: 1, seq: 1, payload }), []);
  assert.equal(udp(0, 'x', { ip: parseIpv4('10.0.1.2'), port: 1 }), []);
  assert.equal(udp(0, 'x', { ip: PEER.ip, port: 65_536 }), []);
  assert.equal(udp(0, 'x', { ip: Number.NaN, port: 1 }), []);
  assert.equal(give(0, { type: 'udp-requested', to, fromPort: 1, payload: payload.subarray(1) }), [ASK]);
  const { refusals } = machine.counters();
  assert.equal(refusals, { 'too-big': 2, 'off-link': 1, 'bad-number': 2, 'pending-full': 0, unresolved: 0 });
});

test('every frame that is not taken is dropped for one reason', () => {
  const { frame, machine } = station();
  const good = udpFrame(fromPeer, 1, 2, text('payload of the datagram'));
  const spoilt = (at: number, value: number): Uint8Array => {
    const b = good.slice();
    b[at] = value;
    return b;
  };
  /** With the IPv4 header's checksum made right again. */
  const rewritten = (at: number, value: number): Uint8Array => {
    const b = spoilt(at, value);
    b[24] = b[25] = 0;
    let sum = 0;
    for (let i = 14; i < 34; i += 2) sum += (b[i]! << 8) | b[i + 1]!;
    const check = finishSum(sum);
    b[24] = check >> 8;
    b[25] = check;
    return b;
  };
  const icmp = (bytes: Uint8Array): Uint8Array => {
    const b = new Uint8Array(34 + bytes.length);
    b.set(good.subarray(0, 14));
    writeIpv4(b, 14, PEER.ip, US.ip, 1, 1, bytes.length);
    b.set(bytes, 34);
    return b;
  };
  const echo = echoMessage({ kind: 'echo-request', id: 1, seq: 1, payload: text('x') });
  const badEcho = echo.slice();
  badEcho[8]! ^= 1;
  const cases: [string, Uint8Array][] = [
    ['runt', good.subarray(0, 13)],
    ['other-mac', spoilt(5, 9)],
    ['other-ethertype', spoilt(12, 0x86)],
    [
      'bad-arp',
      arpFrame(US.mac, PEER.mac, {
        operation: 1,
        senderMac: 0x01005e000001,
        senderIp: 1,
        targetMac: 0,
        targetIp: 2,
      }),
    ],
    ['bad-ip', spoilt(14, 0x65)],
    ['ip-checksum', spoilt(22, 1)],
    ['other-ip', rewritten(33, 9)],
    ['fragment', rewritten(20, 0x20)],
    ['other-protocol', rewritten(23, 6)],
    ['bad-icmp', icmp(echo.subarray(0, 7))],
    ['icmp-checksum', icmp(badEcho)],
    ['other-icmp', icmp(Uint8Array.of(13, 0, 0xf2, 0xff, 0, 0, 0, 0))],
    ['bad-udp', spoilt(39, 200)],
    ['udp-checksum', spoilt(42, 0)],
  ];
  for (const [reason, bytes] of cases) {
    const before = machine.counters().drops;
    assert.equal(frame(0, bytes), [], reason);
    const after = machine.counters().drops;
    const changed = Object.keys(after).filter(
      (k) => after[k as keyof typeof after] !== before[k as keyof typeof before],
    );
    assert.equal(changed, [reason]);
  }
  assert.equal(
    cases.map(([reason]) => reason).sort(),
    Object.keys(machine.counters().drops).sort(),
    'every reason is exercised',
  );
});

test('says when a datagram of ours could not be delivered', () => {
  const { frame, machine } = station();
  const ours = udpFrame(
    { ...fromPeer, srcMac: US.mac, dstMac: PEER.mac, srcIp: US.ip, dstIp: PEER.ip },
    4000,
    5000,
    text('x'),
  );
  const quote = ours.subarray(14, 42);
  const message = Uint8Array.of(3, 3, 0, 0, 0, 0, 0, 0, ...quote);
  let sum = 0;
  for (let i = 0; i < message.length; i += 2) sum += (message[i]! << 8) | message[i + 1]!;
  message.set([finishSum(sum) >> 8, finishSum(sum) & 255], 2);
  const b = new Uint8Array(34 + message.length);
  b.set(udpFrame(fromPeer, 1, 1, text('')).subarray(0, 14));
  writeIpv4(b, 14, PEER.ip, US.ip, 1, 1, message.length);
  b.set(message, 34);
  assert.equal(frame(0, b), ['unreachable 3, 4000>5000']);
  assert.is(machine.counters().unreachable, 1);
});

test('a configuration no station can have is refused', () => {
  for (const wrong of [
    { mac: 0 },
    { mac: BROADCAST_MAC },
    { mac: 0x01005e000001 },
    { ip: 0 },
    { ip: 2 ** 32 },
    { prefix: 33 },
    { mtu: 575 },
    { mtu: Number.NaN },
  ]) {
    try {
      new EndStation({ ...US, ...wrong });
      assert.unreachable(JSON.stringify(wrong));
    } catch (e) {
      assert.instance(e, ConfigError);
      assert.is((e as ConfigError).code, 'L2_STATION_RANGE');
    }
  }
});

test('a flood of senders neither grows the table without bound nor loses the account', () => {
  const { frame, udp, machine } = station({ prefix: 8 });
  for (let i = 0; i < 3000; i++) {
    frame(i, peerArp(ARP_REQUEST, { senderIp: parseIpv4('10.1.0.0') + i, senderMac: PEER.mac + i }));
  }
  assert.is(machine.counters().arp, 3000);
  assert.is(udp(3000, 'x', { ip: parseIpv4('10.1.0.0') + 2999, port: 1 }).length, 1);
  assert.match(
    udp(3000, 'x', { ip: parseIpv4('10.1.0.0'), port: 1 })[0]!,
    'who-has 10.1.0.0',
    'the oldest was forgotten',
  );
});

test.run();
