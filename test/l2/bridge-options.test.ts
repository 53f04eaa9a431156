import * as assert from 'uvu/assert';
import { ConfigError } from '../../src/core/index.js';
import {
  Bridge,
  type BridgeOptions,
  checkBridgeOptions,
  checkPortOptions,
  type PortOptions,
} from '../../src/l2/index.js';
import { suite } from '../suite.js';

const test = suite('l2/bridge-options');

/** The line the user sees. */
function refusal(check: () => void, code: string): string {
  try {
    check();
  } catch (e) {
    assert.instance(e, ConfigError);
    assert.is((e as ConfigError).code, code);
    return (e as ConfigError).line();
  }
  return assert.unreachable('it passed') as never;
}

test('nothing, everything and each default pass', () => {
  checkBridgeOptions({});
  checkBridgeOptions({ duplicateMac: null, stretch: {} });
  checkBridgeOptions({
    vlanAware: true,
    linkLocal: 'pass',
    duplicateMac: { moves: 2, windowNs: 1, holdNs: 0 },
    stretch: {
      unknownUnicast: 'drop',
      bpdu: 'pass',
      firstHop: 'filter',
      suppressNeighbours: { agingNs: 1, capacity: 1 },
      port: { vlan: { mode: 'trunk', allowed: [10], native: 10 }, mtuBytes: 9000 },
    },
  });
  checkPortOptions({ isolated: true, mtuBytes: 68, storm: { broadcast: { ratePps: 1 } } }, false);
  checkPortOptions({ vlan: { mode: 'trunk' }, storm: { multicast: { rateBps: 1e6, burstBytes: 1 } } }, true);
});

test('a bad bridge option is refused with its key, its range and the remedy', () => {
  const bad: [unknown, RegExp][] = [
    [{ vlanAware: 1 }, /vlanAware 1 is neither true nor false/],
    [{ linkLocal: 'flood' }, /linkLocal "flood" is not drop or pass/],
    [{ duplicateMac: { moves: 1 } }, /duplicateMac\.moves 1 is outside 2\.\.1000/],
    [{ duplicateMac: { moves: 2.5 } }, /duplicateMac\.moves 2\.5 is no whole number/],
    [{ duplicateMac: { windowNs: 0 } }, /duplicateMac\.windowNs/],
    [{ duplicateMac: { holdNs: -1 } }, /duplicateMac\.holdNs/],
    [{ duplicateMac: true }, /duplicateMac true is no group of settings/],
    [{ stretch: { unknownUnicast: 'pass' } }, /"pass" is not flood or drop/],
    [{ stretch: { bpdu: 'flood' } }, /stretch\.bpdu/],
    [{ stretch: { firstHop: true } }, /stretch\.firstHop true is not pass or filter/],
    [{ stretch: { suppressNeighbours: 'yes' } }, /stretch\.suppressNeighbours "yes"/],
    [{ stretch: { suppressNeighbours: { capacity: 0 } } }, /capacity 0 is outside 1\.\.65536/],
    [{ stretch: [] }, /stretch \[\] is no group/],
  ];
  for (const [options, text] of bad) {
    const check = (): void => checkBridgeOptions(options as BridgeOptions, 'sites.a.bridge');
    const line = refusal(check, 'L2_BRIDGE_OPTIONS');
    assert.match(line, text);
    assert.match(line, /sites\.a\.bridge: .*; \w+/, 'place and remedy');
  }
  refusal(() => new Bridge({ linkLocal: 'x' as 'drop' }), 'L2_BRIDGE_OPTIONS');
});

test('a bad port option likewise', () => {
  const bad: [unknown, RegExp][] = [
    [{ isolated: 'yes' }, /isolated "yes"/],
    [{ mtuBytes: 67 }, /mtuBytes 67 is outside 68\.\.65535/],
    [{ mtuBytes: 1500.5 }, /no whole number/],
    [{ storm: 5 }, /storm 5 is no group/],
    [{ storm: { broadcast: {} } }, /storm\.broadcast needs one of ratePps and rateBps/],
    [{ storm: { broadcast: { ratePps: 1, rateBps: 1000 } } }, /needs one of/],
    [{ storm: { multicast: { ratePps: 0 } } }, /storm\.multicast\.ratePps 0 is outside 1/],
    [{ storm: { multicast: { ratePps: Number.NaN } } }, /storm\.multicast\.ratePps NaN/],
    [{ storm: { unknownUnicast: { ratePps: 5, burstBytes: 100 } } }, /burstBytes stands beside ratePps/],
    [{ storm: { unknownUnicast: { rateBps: 5000, burstPackets: 1 } } }, /burstPackets stands beside rateBps/],
    [{ vlan: { mode: 'access' } }, /vlan\.vid undefined is outside 1\.\.4094/],
    [{ vlan: { mode: 'access', vid: 4095 } }, /0 and 4095 are reserved/],
    [{ vlan: { mode: 'hybrid' } }, /vlan\.mode "hybrid" is not access or trunk/],
    [{ vlan: {} }, /vlan\.mode is missing/],
    [{ vlan: { mode: 'trunk', allowed: [] } }, /vlan\.allowed/],
    [{ vlan: { mode: 'trunk', allowed: [0] } }, /vlan\.allowed 0 is outside/],
    [{ vlan: { mode: 'trunk', allowed: [10], native: 20 } }, /native 20 is not among vlan\.allowed/],
  ];
  for (const [options, text] of bad) {
    const check = (): void => checkPortOptions(options as PortOptions, true, 'port p1');
    assert.match(refusal(check, 'L2_PORT_OPTIONS'), text);
  }
});

test('VLANs on a bridge without VLANs are refused, at the bridge and at the port', () => {
  const vlan = { mode: 'access', vid: 10 } as const;
  assert.match(
    refusal(() => checkPortOptions({ vlan }, false), 'L2_PORT_OPTIONS'),
    /set vlanAware: true/,
  );
  refusal(() => new Bridge({ stretch: { port: { vlan } } }), 'L2_PORT_OPTIONS');
  const add = { type: 'port-added', port: 1, name: 'p1', role: 'client', options: { vlan } } as const;
  refusal(() => new Bridge().step(0, add, []), 'L2_PORT_OPTIONS');
});

test.run();
