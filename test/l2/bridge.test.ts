import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { ConfigError, type Frame, frameOf, NS_PER_S, WOKE } from '../../src/core/index.js';
import {
  BROADCAST_MAC,
  Bridge,
  type BridgeAction,
  type BridgeFrameReceived,
  rarpAnnouncement,
  writeEthernet,
} from '../../src/l2/index.js';
import { suite } from '../suite.js';
import { assertCloses } from './site.js';

const test = suite('l2/bridge');

const GUEST = 0x525400000001;
const CLIENT = 0x525400000002;
const STRETCH_PORT = 0;
const GUEST_PORT = 1;
const CLIENT_PORT = 2;

function frame(src: number, dst: number, length = 60): Frame {
  const b = new Uint8Array(length);
  writeEthernet(b, 0, dst, src, 0x0800);
  return frameOf(b);
}

/** A bridge with a stretch, a guest and a client port, and a script to drive it. */
function site() {
  const bridge = new Bridge();
  bridge.step(0, { type: 'port-added', port: STRETCH_PORT, name: 'stretch', role: 'stretch' }, []);
  bridge.step(0, { type: 'port-added', port: GUEST_PORT, name: 'guest', role: 'guest' }, []);
  bridge.step(0, { type: 'port-added', port: CLIENT_PORT, name: 'client', role: 'client' }, []);
  /** Ports the frame went to, or the reason it was dropped for. */
  const give = (nowNs: number, port: number, f: Frame): number[] | string => {
    const out: BridgeAction[] = [];
    bridge.step(nowNs, { type: 'frame-received', port, frame: f }, out);
    for (const action of out) {
      assert.ok('frame' in action && action.frame === f, 'the very frame, not a copy');
      if (action.type === 'forward') assert.is(action.tag, 'keep');
    }
    if (out[0]?.type === 'drop') {
      assert.is(out.length, 1);
      return out[0].reason;
    }
    return out.map((a) => (a.type === 'forward' ? a.port : -1));
  };
  return { bridge, give };
}

test('unknown is flooded, known goes to its one port, and nothing goes back', () => {
  const { bridge, give } = site();
  assert.equal(give(0, CLIENT_PORT, frame(CLIENT, GUEST)), [STRETCH_PORT, GUEST_PORT]);
  assert.equal(give(1, GUEST_PORT, frame(GUEST, CLIENT)), [CLIENT_PORT]);
  assert.equal(give(2, CLIENT_PORT, frame(CLIENT, GUEST)), [GUEST_PORT]);
  assert.equal(give(3, STRETCH_PORT, frame(0x525400000009, BROADCAST_MAC)), [GUEST_PORT, CLIENT_PORT]);
  const c = bridge.counters();
  assertCloses(c);
  assert.is(c.framesOut, 2 + 1 + 1 + 2);
  assert.equal(
    c.ports.map((p) => [p.name, p.framesIn, p.bytesIn, p.framesOut, p.bytesOut, p.forwarded, p.flooded]),
    [
      ['stretch', 1, 60, 1, 60, 0, 1],
      ['guest', 1, 60, 3, 180, 1, 0],
      ['client', 2, 120, 2, 120, 1, 1],
    ],
  );
});

test('a guest that moved is reached at its new place from its announcement on', () => {
  const { bridge, give } = site();
  give(0, GUEST_PORT, frame(GUEST, CLIENT));
  assert.equal(give(1, CLIENT_PORT, frame(CLIENT, GUEST)), [GUEST_PORT]);
  assert.equal(give(2, STRETCH_PORT, frameOf(rarpAnnouncement(GUEST))), [GUEST_PORT, CLIENT_PORT]);
  assert.equal(give(3, CLIENT_PORT, frame(CLIENT, GUEST)), [STRETCH_PORT]);
  assert.is(bridge.counters().macs.moved, 1);
});

test('every drop has its reason', () => {
  const { bridge, give } = site();
  assert.is(give(0, CLIENT_PORT, frameOf(new Uint8Array(13))), 'runt');
  assert.is(give(0, 9, frame(CLIENT, GUEST)), 'unknown-port');
  assert.is(give(0, CLIENT_PORT, frame(0x010000000001, GUEST)), 'source-multicast');
  assert.is(give(0, CLIENT_PORT, frame(CLIENT, 0x0180c2000000)), 'link-local');
  assert.is(give(0, CLIENT_PORT, frame(CLIENT, 0x0180c200000f)), 'link-local');
  assert.is(give(0, CLIENT_PORT, frame(GUEST, CLIENT)), 'same-port');
  const alone = new Bridge();
  alone.step(0, { type: 'port-added', port: 5, name: 'only', role: 'client' }, []);
  const out: BridgeAction[] = [];
  alone.step(0, { type: 'frame-received', port: 5, frame: frame(CLIENT, BROADCAST_MAC) }, out);
  assert.is(out[0]?.type === 'drop' && out[0].reason, 'no-port');
  const counted = Object.entries(bridge.counters().drops).filter(([, n]) => n > 0);
  assert.equal(counted, [
    ['runt', 1],
    ['unknown-port', 1],
    ['source-multicast', 1],
    ['link-local', 2],
    ['same-port', 1],
  ]);
  assertCloses(bridge.counters());
  assertCloses(alone.counters());
});

test('the address after the reserved sixteen is flooded like any group', () => {
  assert.equal(site().give(0, CLIENT_PORT, frame(CLIENT, 0x0180c2000010)), [STRETCH_PORT, GUEST_PORT]);
});

test('an address that aged out is flooded again', () => {
  const { give } = site();
  give(0, GUEST_PORT, frame(GUEST, BROADCAST_MAC));
  assert.equal(give(300 * NS_PER_S, CLIENT_PORT, frame(CLIENT, GUEST)), [GUEST_PORT]);
  assert.equal(give(300 * NS_PER_S + 1, CLIENT_PORT, frame(CLIENT, GUEST)), [STRETCH_PORT, GUEST_PORT]);
});

test('a port that goes takes its addresses along, and may come back under its number', () => {
  const { bridge, give } = site();
  give(0, GUEST_PORT, frame(GUEST, BROADCAST_MAC));
  bridge.step(1, { type: 'port-removed', port: GUEST_PORT }, []);
  bridge.step(1, { type: 'port-removed', port: GUEST_PORT }, []);
  assert.equal(give(2, CLIENT_PORT, frame(CLIENT, GUEST)), [STRETCH_PORT]);
  assert.is(give(2, GUEST_PORT, frame(GUEST, CLIENT)), 'unknown-port');
  bridge.step(3, { type: 'port-added', port: GUEST_PORT, name: 'guest again', role: 'guest' }, []);
  assert.equal(give(4, CLIENT_PORT, frame(CLIENT, GUEST)), [STRETCH_PORT, GUEST_PORT]);
  assertCloses(bridge.counters());
});

test('a bad or taken port number is refused where the port is added', () => {
  const { bridge } = site();
  for (const port of [-1, 1024, 0.5, GUEST_PORT]) {
    try {
      bridge.step(0, { type: 'port-added', port, name: 'x', role: 'client' }, []);
      assert.unreachable(`port ${port}`);
    } catch (e) {
      assert.instance(e, ConfigError);
      assert.is((e as ConfigError).code, 'L2_PORT_RANGE');
    }
  }
});

test('a bridge never wakes, and waking does nothing', () => {
  const { bridge } = site();
  const out: BridgeAction[] = [];
  bridge.step(1, WOKE, out);
  assert.is(bridge.nextWakeNs(), Number.POSITIVE_INFINITY);
  assert.equal(out, []);
});

test('the event object may be reused: an action does not change with it', () => {
  const { bridge } = site();
  const event: BridgeFrameReceived = {
    type: 'frame-received',
    port: GUEST_PORT,
    frame: frame(GUEST, CLIENT),
  };
  const out: BridgeAction[] = [];
  bridge.step(0, event, out);
  const first = event.frame;
  event.frame = frame(CLIENT, GUEST);
  event.port = CLIENT_PORT;
  bridge.step(1, event, out);
  assert.ok(out[0]?.type === 'forward' && out[0].frame === first);
  assert.equal(
    out.map((a) => a.type === 'forward' && a.port),
    [STRETCH_PORT, CLIENT_PORT, GUEST_PORT],
  );
});

test('whatever comes in goes out or is dropped once: the sums close after every frame', () => {
  const macs = [GUEST, CLIENT, BROADCAST_MAC, 0x0180c2000003, 0x01005e000001, 0];
  const anyFrame = fc.oneof(
    fc.tuple(fc.constantFrom(...macs), fc.constantFrom(...macs)).map(([s, d]) => frame(s, d)),
    fc.uint8Array({ maxLength: 64 }).map(frameOf),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(4), anyFrame)), (frames) => {
      const { bridge, give } = site();
      let copies = 0;
      frames.forEach(([port, f], i) => {
        const result = give(i, port, f);
        if (typeof result !== 'string') {
          assert.ok(result.length >= 1 && !result.includes(port));
          copies += result.length;
        }
        const c = bridge.counters();
        assertCloses(c);
        assert.is(c.framesOut, copies);
        assert.is(c.framesIn, i + 1);
      });
    }),
  );
});

test.run();
