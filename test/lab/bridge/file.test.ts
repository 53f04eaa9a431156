import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import * as assert from 'uvu/assert';
import { ConfigError } from '../../../src/core/index.js';
import {
  needsNamespaces,
  parseBridge,
  parsePortText,
  portFrom,
  readBridgeFile,
} from '../../../src/lab/bridge/file.js';
import { suite } from '../../suite.js';

const test = suite('lab/bridge/file');

const bridge = (text: string) => parseBridge({ name: 'dir/x.yaml', text });

function lineOf(body: () => unknown): string {
  try {
    body();
  } catch (e) {
    assert.instance(e, ConfigError);
    const line = (e as ConfigError).line();
    assert.not.match(line, '\n');
    return line;
  }
  throw new Error('was accepted');
}

const NIO = 'nio-udp: {listen: 127.0.0.1:5001, peer: 127.0.0.1:5000}';
const port = (more: string) => `ports:\n  - {name: p, site: a, ${more}}\n`;

test('an empty file is the default fiber, plain bridges and no ports', () => {
  const plan = bridge('');
  assert.is(plan.name, 'x');
  assert.is(plan.control, 'x');
  assert.is(plan.metrics, null);
  assert.is(plan.fiber.profile, 'metro-80km');
  assert.is(plan.fiber.spans[0]!.aToB.oneWayNs, 400_000);
  assert.is(plan.bridge.vlanAware, false);
  assert.is(plan.bridge.duplicateMac, null);
  assert.equal(plan.ports, []);
  assert.is(needsNamespaces(plan), false);
});

test('every key arrives in the unit of its name', () => {
  const plan = bridge(`
name: two
seed: 7
fiber: {one-way: 5ms, rate: 1Gbit, b-a: {loss: 1%}}
qos: guest-first
spin: never
bridge: {mac-aging: 60s, mac-capacity: 16, link-local: pass, duplicate-mac: {moves: 3, within: 10s}}
stretch: {unknown-unicast: drop, bpdu: pass, first-hop: drop, arp-suppression: on, mtu: 1450}
metrics: 127.0.0.1:0
control: /run/two.sock
ports:
  - {name: left, site: a, tap: lh0, netns: left, address: 10.0.0.1/24, mac: 02:4c:48:00:00:10, mtu: 1500, role: vmk}
  - {name: eth, site: b, interface: eth1, vlan: {trunk: [10, 20], native: 10}, isolated: true}
  - {name: q, site: a, ${NIO}, vlan: {access: 10}, storm: {broadcast: 100pps, unknown-unicast: 10Mbit}}
  - {name: v, site: b, vxlan: {vni: 42, listen: 10.9.0.1:4789, peers: [10.9.0.2:4789]}, vlan: {trunk: all}}
`);
  assert.equal([plan.name, plan.seed, plan.qos, plan.spin], ['two', 7, 'guest-first', 'never']);
  assert.is(plan.fiber.spans[0]!.aToB.oneWayNs, 5_000_000);
  assert.equal(plan.bridge, {
    agingNs: 60e9,
    capacity: 16,
    vlanAware: true,
    linkLocal: 'pass',
    duplicateMac: { moves: 3, windowNs: 10e9, holdNs: 0 },
    stretch: {
      unknownUnicast: 'drop',
      bpdu: 'pass',
      firstHop: 'filter',
      suppressNeighbours: true,
      port: { mtuBytes: 1450 },
    },
  });
  assert.equal(plan.metrics, { host: '127.0.0.1', port: 0 });
  assert.is(plan.control, '/run/two.sock');
  const [left, eth, q, v] = plan.ports;
  assert.equal(left, {
    name: 'left',
    site: 'a',
    role: 'vmk',
    netns: 'left',
    attach: { kind: 'tap', device: 'lh0', address: { ip: 0x0a000001, prefix: 24 }, mac: 0x024c48000010 },
    options: { isolated: false, mtuBytes: 1500 },
  });
  assert.equal(eth!.options, { isolated: true, vlan: { mode: 'trunk', allowed: [10, 20], native: 10 } });
  assert.equal(q!.options, {
    isolated: false,
    vlan: { mode: 'access', vid: 10 },
    storm: { broadcast: { ratePps: 100 }, unknownUnicast: { rateBps: 10e6 } },
  });
  assert.equal(v!.attach, {
    kind: 'vxlan',
    vni: 42,
    listen: { host: '10.9.0.1', port: 4789 },
    peers: [{ host: '10.9.0.2', port: 4789 }],
  });
  assert.equal(v!.options.vlan, { mode: 'trunk', allowed: 'all', native: null });
  assert.is(needsNamespaces(plan), true);
});

const REFUSED: readonly [text: string, line: RegExp][] = [
  [
    'prots: []',
    /^LAB_KEY_UNKNOWN: dir\/x\.yaml:1:1: prots is no key; allowed here: .*; did you mean ports\?$/,
  ],
  [
    'fiber: {rate: 2Tbit}',
    /^CORE_UNIT_RANGE: dir\/x\.yaml:1:15: fiber\.rate 2Tbit is outside 1kbit\.\.1Tbit/,
  ],
  [
    'fiber: {profile: metro-80m}',
    /^LAB_PROFILE: dir\/x\.yaml:1:18: fiber\.profile .* did you mean metro-80km\?/,
  ],
  [
    'fiber:\n  distance: 1km\n  one-way: 1ms',
    /^LAB_CONFLICT: dir\/x\.yaml:3:12: fiber\.one-way says the delay/,
  ],
  ['qos: best', /dir\/x\.yaml:1:6: qos "best" is not one of guest-first, none/],
  ['stretch: {bpdu: flood}', /1:17: stretch\.bpdu "flood" is not one of drop, pass/],
  ['stretch: {arp-suppression: true}', /1:28: stretch\.arp-suppression true is not one of on, off/],
  ['bridge: {mac-aging: 5}', /1:21: bridge\.mac-aging 5 is not a duration .*; write it like 400us/],
  [
    'bridge: {duplicate-mac: {moves: 1}}',
    /1:33: bridge\.duplicate-mac\.moves 1 is not a whole number in 2\.\.1000/,
  ],
  [
    'metrics: 9464',
    /1:10: metrics 9464 is not an IPv4 address and a port in 0\.\.65535; write it like 127\.0\.0\.1:9464/,
  ],
  ['metrics: 127.0.0.1:70000', /metrics "127\.0\.0\.1:70000" is not an IPv4 address/],
  ['name: a/b', /1:7: name "a\/b" is not a name of letters, digits, dots and dashes/],
  ['ports: {name: p}', /1:8: ports is keys with values, not a list/],
  ['ports:\n  - {name: p, tap: t}', /2:5: ports\[0\]\.site is missing; choose a or b/],
  ['ports:\n  - {site: a, tap: t}', /2:5: ports\[0\]\.name is missing/],
  [
    port('role: guest'),
    /^LAB_PORT_KIND: dir\/x\.yaml:2:5: ports\[0\] does not say what it is attached to; give one of tap, interface/,
  ],
  [port(`tap: t, ${NIO}`), /^LAB_CONFLICT: .*2:41: ports\[0\]\.nio-udp stands beside tap; keep one of/],
  [port(`${NIO}, address: 10.0.0.1/24`), /ports\[0\]\.address is for a tap, and this port is nio-udp/],
  [
    port('tap: a-name-that-is-too-long'),
    /ports\[0\]\.tap "a-name-that-is-too-long" is not a name for an interface/,
  ],
  [port('tap: ..'), /ports\[0\]\.tap "\.\." is not a name for an interface/],
  [port('tap: t, netns: ../x'), /ports\[0\]\.netns "\.\.\/x" is not a name for a namespace/],
  [
    port('tap: t, address: 10.0.0.1'),
    /ports\[0\]\.address "10\.0\.0\.1" is not a unicast IPv4 address with its prefix; write it like 10\.0\.0\.1\/24/,
  ],
  [port('tap: t, mac: "01:00:5e:00:00:01"'), /ports\[0\]\.mac .* is not a unicast MAC address/],
  [port('tap: t, mtu: 67'), /ports\[0\]\.mtu 67 is not a whole number in 68\.\.65535/],
  [port('tap: t, vlan: {access: 4095}'), /ports\[0\]\.vlan\.access 4095 is not a whole number in 1\.\.4094/],
  [
    port('tap: t, vlan: {access: 1, trunk: all}'),
    /^LAB_CONFLICT: .* ports\[0\]\.vlan is either access or trunk/,
  ],
  [port('tap: t, vlan: {}'), /ports\[0\]\.vlan is either access or trunk; write \{access: 10\}/],
  [port('tap: t, vlan: {access: 1, native: 1}'), /ports\[0\]\.vlan\.native is for a trunk/],
  [
    port('tap: t, vlan: {trunk: [10], native: 20}'),
    /ports\[0\]\.vlan\.native 20 is not among the trunk's VLANs; add it there/,
  ],
  [port('tap: t, vlan: {trunk: [0]}'), /ports\[0\]\.vlan\.trunk \[0\] is neither all nor VLANs in 1\.\.4094/],
  [
    `bridge: {vlan-aware: false}\n${port('tap: t, vlan: {access: 1}')}`,
    /ports\[0\]\.vlan is for a bridge with VLANs; set bridge: \{vlan-aware: true\}/,
  ],
  [port('tap: t, storm: {broadcast: fast}'), /ports\[0\]\.storm\.broadcast "fast" is not a rate/],
  [port('tap: t, storm: {broadcast: 0pps}'), /ports\[0\]\.storm\.broadcast "0pps" is outside 1pps/],
  [port('nio-udp: {listen: 127.0.0.1:5001}'), /ports\[0\]\.nio-udp\.peer is missing/],
  [
    port('nio-udp: {listen: localhost:5001, peer: 127.0.0.1:1}'),
    /nio-udp\.listen "localhost:5001" is not an IPv4 address and a port in 1\.\.65535/,
  ],
  [
    port('vxlan: {vni: 16777216, listen: 1.2.3.4:4789, peers: [1.2.3.5:4789]}'),
    /vxlan\.vni 16777216 is not a whole number in 0\.\.16777215/,
  ],
  [port('vxlan: {vni: 1, listen: 1.2.3.4:4789, peers: []}'), /vxlan\.peers must have at least 1 entries/],
  [
    'ports:\n  - {name: p, site: a, tap: t}\n  - {name: p, site: b, tap: u}',
    /^LAB_PORT_NAME: .*3:12: ports\[1\]\.name p is there a second time/,
  ],
  [
    'ports:\n  - {name: p, site: a, tap: t}\n  - {name: q, site: b, interface: t}',
    /3:35: ports\[1\]\.interface t is taken by another port/,
  ],
  ['- 1', /1:1: the file is a list, not keys with values/],
  ['seed: "1', /^LAB_FILE_YAML: dir\/x\.yaml:\d+:\d+: not YAML/],
];

for (const [text, line] of REFUSED) {
  test(`refused: ${JSON.stringify(text).slice(0, 70)}`, () => {
    assert.match(
      lineOf(() => bridge(text)),
      line,
    );
  });
}

test('an interface of one name may be in two namespaces', () => {
  const plan = bridge(
    'ports:\n  - {name: p, site: a, tap: t, netns: l}\n  - {name: q, site: b, tap: t, netns: r}',
  );
  assert.is(plan.ports.length, 2);
});

test('one port more is read and refused as in the file', () => {
  const planned = portFrom(parsePortText(`{name: c, site: b, ${NIO}}`), false);
  assert.equal(planned.attach.kind, 'nio-udp');
  assert.match(
    lineOf(() => portFrom(parsePortText('{name: c, site: c, tap: t}'), false)),
    /^LAB_KEY_VALUE: port\.site "c" is not one of a, b/,
  );
  assert.match(
    lineOf(() => portFrom(parsePortText('{name: c, site: b, tap: t, vlan: {access: 3}}'), false)),
    /^LAB_CONFLICT: port\.vlan is for a bridge with VLANs/,
  );
  assert.match(
    lineOf(() => portFrom(5, false)),
    /^LAB_KEY_VALUE: port is 5, not keys with values/,
  );
  assert.match(
    lineOf(() => parsePortText('{name: c')),
    /^LAB_FILE_YAML: PORT:1:9: not YAML/,
  );
});

test('an unreadable file is refused with its reason', () => {
  assert.match(
    lineOf(() => readBridgeFile('/nowhere/x.yaml')),
    /^LAB_FILE_READ: CONFIG\.yaml \/nowhere\/x\.yaml cannot be read \(ENOENT\); give the path of a readable YAML file/,
  );
});

test('the examples are bridges, and two-namespaces.yaml shows every key', () => {
  const files = readdirSync('examples').filter((file) =>
    readFileSync(`examples/${file}`, 'utf8').includes('bridge.schema'),
  );
  assert.equal(files.sort(), ['two-namespaces.yaml', 'two-qemu-guests.yaml', 'vxlan-peer.yaml']);
  for (const file of files) parseBridge(readBridgeFile(`examples/${file}`));
  const text = readFileSync('examples/two-namespaces.yaml', 'utf8');
  for (const [wrong, section] of [
    ['zz: 1', 'the file'],
    ['bridge: {zz: 1}', 'bridge'],
    ['stretch: {zz: 1}', 'stretch'],
    [port('zz: 1'), 'ports[0]'],
  ] as const) {
    const keys = /allowed here: (.*?);/.exec(lineOf(() => bridge(wrong)))![1]!.split(', ');
    for (const key of keys) assert.match(text, new RegExp(`[\\s{#-]${key}:`), `${section}: ${key}`);
  }
});

test('any text is a bridge or one ConfigError', () => {
  const value = fc.oneof(fc.string(), fc.integer(), fc.constant(null), fc.constant([]), fc.constant({}));
  const key = fc.constantFrom('ports', 'fiber', 'bridge', 'stretch', 'control', 'metrics', '__proto__', 'zz');
  const inner = fc.constantFrom('name', 'site', 'tap', 'vlan', 'mac-aging', 'spans', 'storm', 'constructor');
  const tree = fc.dictionary(
    key,
    fc.oneof(value, fc.dictionary(inner, value), fc.array(fc.dictionary(inner, value))),
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        tree.map((t) => JSON.stringify(t)),
      ),
      (text) => {
        try {
          bridge(text);
        } catch (e) {
          assert.instance(e, ConfigError);
          assert.not.match((e as ConfigError).line(), '\n');
        }
      },
    ),
    { numRuns: 500 },
  );
});

test.run();
