import * as assert from 'uvu/assert';
import { ConfigError, NS_PER_MS, WOKE } from '../../src/core/index.js';
import {
  type AnnounceAction,
  type AnnounceEvent,
  Announcer,
  announcementFrames,
  announcementRounds,
  DEFAULT_ANNOUNCE_SCHEDULE,
  describeFrame,
  EndStation,
  gratuitousArpReply,
  gratuitousArpRequest,
  linkLocalFromMac,
  parseIpv4,
  parseMac,
  type StationAction,
  unsolicitedAdvertisement,
} from '../../src/l2/index.js';
import { suite } from '../suite.js';
import { hex } from './oracle.js';

const test = suite('l2/announce');

const mac = parseMac('52:54:00:00:00:01');
const ip = parseIpv4('10.0.0.1');
const ipv6 = hex('fe80 0000 0000 0000 5054 00ff fe00 0001');
const PADDING = '00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00';

test('golden gratuitous ARP, as request and as reply', () => {
  assert.equal(
    gratuitousArpRequest(mac, ip),
    hex(`ff ff ff ff ff ff  52 54 00 00 00 01  08 06
         00 01 08 00 06 04  00 01          # request
         52 54 00 00 00 01  0a 00 00 01    # sender: the guest
         00 00 00 00 00 00  0a 00 00 01    # target: its own address
         ${PADDING}`),
  );
  assert.equal(
    gratuitousArpReply(mac, ip),
    hex(`ff ff ff ff ff ff  52 54 00 00 00 01  08 06
         00 01 08 00 06 04  00 02          # reply
         52 54 00 00 00 01  0a 00 00 01    # sender: the guest
         52 54 00 00 00 01  0a 00 00 01    # target: the guest
         ${PADDING}`),
  );
});

test('a round says all that is known, and RARP always', () => {
  const lines = (who: Parameters<typeof announcementFrames>[0]): string[] =>
    announcementFrames(who).map((f) => describeFrame(f).replace(/^.*length \d+: /, ''));
  assert.equal(lines({ mac, ip: null }), ['RARP who-is 52:54:00:00:00:01 tell 52:54:00:00:00:01']);
  assert.equal(lines({ mac, ip, ipv6 }).slice(1), [
    'ARP who-has 10.0.0.1 tell 10.0.0.1 (gratuitous)',
    'ARP 10.0.0.1 is-at 52:54:00:00:00:01 (gratuitous)',
    'IP6 fe80::5054:ff:fe00:1 > ff02::1: ICMP6 type 136, length 32',
  ]);
});

test('each IPv6 address is advertised: the link-local one, derived from the MAC, and others', () => {
  const global = hex('2001 0db8 0000 0000 0000 0000 0000 0001');
  const frames = announcementFrames({ mac, ip: null, ipv6: [linkLocalFromMac(mac), global] });
  assert.equal(frames.slice(1), [unsolicitedAdvertisement(mac, ipv6), unsolicitedAdvertisement(mac, global)]);
});

test('five rounds with gaps of 50, 150, 250 and 350 ms', () => {
  const instants = announcementRounds({ mac, ip }).map((r) => r.afterNs / NS_PER_MS);
  assert.equal(instants, [0, 50, 200, 450, 800]);
});

test('gaps stop growing at their maximum', () => {
  const schedule = { ...DEFAULT_ANNOUNCE_SCHEDULE, rounds: 8 };
  const instants = announcementRounds({ mac, ip }, schedule).map((r) => r.afterNs / NS_PER_MS);
  assert.equal(instants, [0, 50, 200, 450, 800, 1250, 1800, 2350]);
});

/** How many frames each step sent. */
function announcer() {
  const machine = new Announcer({ mac, ip });
  const give = (nowMs: number, event: AnnounceEvent): number => {
    const out: AnnounceAction[] = [];
    machine.step(nowMs * NS_PER_MS, event, out);
    return out.length;
  };
  return { machine, give };
}

test('the script of an announcement, from the start of the guest to silence', () => {
  const { machine, give } = announcer();
  assert.is(machine.nextWakeNs(), Number.POSITIVE_INFINITY);
  assert.is(give(5, WOKE), 0);
  assert.is(give(10, { type: 'guest-started' }), 3);
  for (const atMs of [60, 210, 460, 810]) {
    assert.is(machine.nextWakeNs(), atMs * NS_PER_MS);
    assert.is(give(atMs - 1, WOKE), 0);
    assert.is(give(atMs, WOKE), 3);
    assert.is(give(atMs, WOKE), 0);
  }
  assert.is(machine.nextWakeNs(), Number.POSITIVE_INFINITY);
  assert.is(give(10_000, WOKE), 0);
});

test('a late wake-up sends one round, not all that were missed', () => {
  const { machine, give } = announcer();
  give(0, { type: 'guest-started' });
  assert.is(give(460, WOKE), 3);
  assert.is(machine.nextWakeNs(), 800 * NS_PER_MS);
});

test('cancelled is silent, started again begins anew', () => {
  const { machine, give } = announcer();
  give(0, { type: 'guest-started' });
  assert.is(give(50, { type: 'announce-cancelled' }), 0);
  assert.is(machine.nextWakeNs(), Number.POSITIVE_INFINITY);
  assert.is(give(1000, { type: 'guest-started' }), 3);
  assert.is(machine.nextWakeNs(), 1050 * NS_PER_MS);
});

test('a client that knew the guest takes the announced MAC', () => {
  const client = new EndStation({ mac: parseMac('52:54:00:00:00:02'), ip: parseIpv4('10.0.0.2') });
  const out: StationAction[] = [];
  client.sendUdp(0, { ip, port: 1 }, 1, new Uint8Array(1), out);
  for (const frame of announcementFrames({ mac, ip })) client.receive(1, frame, out);
  assert.match(describeFrame((out.at(-1) as { bytes: Uint8Array }).bytes), '> 52:54:00:00:00:01,');
  assert.equal([client.counters().sent, client.counters().pending], [1, 0]);
});

test('a schedule that makes no sense is refused', () => {
  for (const wrong of [{ rounds: 0 }, { rounds: 101 }, { rounds: 1.5 }, { initialNs: -1 }, { stepNs: 0.5 }]) {
    try {
      announcementRounds({ mac, ip }, { ...DEFAULT_ANNOUNCE_SCHEDULE, ...wrong });
      assert.unreachable(JSON.stringify(wrong));
    } catch (e) {
      assert.instance(e, ConfigError);
      assert.is((e as ConfigError).code, 'L2_ANNOUNCE_RANGE');
    }
  }
});

test.run();
