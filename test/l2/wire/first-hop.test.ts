import * as assert from 'uvu/assert';
import {
  arpFrame,
  claimsVirtualMacAt,
  GROUP_LINK_LOCAL,
  GROUP_ORDINARY,
  GROUP_PAUSE,
  GROUP_PVST,
  isFirstHopHelloAt,
  isVirtualRouterMacAt,
  parseIpv4,
  reservedGroupAt,
  unsolicitedAdvertisement,
} from '../../../src/l2/index.js';
import { suite } from '../../suite.js';
import { hex } from '../oracle.js';

const test = suite('l2/wire/first-hop');

const at = (mac: string): Uint8Array => hex(`ee ${mac.replaceAll('-', ' ')} ee`);

test('virtual MACs of VRRP, HSRP and GLBP, and their nearest neighbours that are none', () => {
  for (const mac of [
    '00-00-5e-00-01-01', // VRRP, IPv4
    '00-00-5e-00-02-ff', // VRRP, IPv6
    '00-00-0c-07-ac-00', // HSRP 1
    '00-00-0c-9f-f0-00', // HSRP 2
    '00-00-0c-9f-ff-ff',
    '00-05-73-a0-0f-ff', // HSRP 2, IPv6
    '00-07-b4-00-01-01', // GLBP
    '00-07-b4-03-ff-04', // GLBP group 1023
  ]) {
    assert.ok(isVirtualRouterMacAt(at(mac), 1), mac);
  }
  for (const mac of [
    '01-00-5e-00-01-01',
    '00-00-5e-00-03-01',
    '00-00-5e-01-01-01',
    '00-00-0c-07-ad-00',
    '00-00-0c-9f-e0-00',
    '00-05-73-a0-10-00',
    '00-05-73-a1-00-00',
    '00-07-b4-04-00-01',
    '52-54-00-00-00-01',
    '00-00-00-00-00-00',
  ]) {
    assert.not(isVirtualRouterMacAt(at(mac), 1), mac);
  }
});

/** An IPv4 packet of no options; the checksum is not looked at. */
const ipv4 = (dst: string, protocol: string, rest: string): Uint8Array =>
  hex(`45 c0 00 30 00 00 00 00 ff ${protocol} 00 00  0a 00 00 02  ${dst}  ${rest}`);
const ipv6 = (dst: string, protocol: string, rest: string): Uint8Array =>
  hex(`60 00 00 00 00 08 ${protocol} ff  fe80 0000 0000 0000 0000 0000 0000 0002  ${dst}  ${rest}`);
const hello4 = (b: Uint8Array): boolean => isFirstHopHelloAt(b, 0, b.length, 0x0800);
const hello6 = (b: Uint8Array): boolean => isFirstHopHelloAt(b, 0, b.length, 0x86dd);

test('hellos are known by group and port', () => {
  assert.ok(hello4(ipv4('e0 00 00 12', '70', '31 01 64 01')), 'VRRP');
  assert.ok(hello4(ipv4('e0 00 00 02', '11', '07 c1 07 c1 00 1c 00 00')), 'HSRP 1');
  assert.ok(hello4(ipv4('e0 00 00 66', '11', '07 c1 07 c1 00 1c 00 00')), 'HSRP 2');
  assert.ok(hello4(ipv4('e0 00 00 66', '11', '0c 96 0c 96 00 1c 00 00')), 'GLBP');
  assert.ok(hello6(ipv6('ff02 0000 0000 0000 0000 0000 0000 0012', '70', '31 01 64 01')), 'VRRP');
  assert.ok(
    hello6(ipv6('ff02 0000 0000 0000 0000 0000 0000 0066', '11', '07 ed 07 ed 00 08 00 00')),
    'HSRP 2',
  );
});

test('what only resembles a hello passes', () => {
  assert.not(hello4(ipv4('e0 00 00 05', '59', '02 01 00 2c')), 'OSPF');
  assert.not(hello4(ipv4('0a 00 00 07', '11', '07 c1 07 c1 00 1c 00 00')), 'that port, to a host');
  assert.not(hello4(ipv4('0a 00 00 07', '70', '31 01 64 01')), 'VRRP to a peer that somebody named');
  assert.not(hello4(ipv4('e0 00 00 66', '11', '14 e9 14 e9 00 1c 00 00')), 'that group, another port');
  assert.not(hello4(ipv4('e0 00 00 02', '11', '07 c1')), 'cut off');
  assert.not(hello6(ipv6('ff02 0000 0000 0000 0000 0000 0000 0001', '11', '07 ed 07 ed 00 08 00 00')));
  assert.not(hello6(ipv6('ff02 0000 0000 0000 0000 0000 0000 0066', '11', '07 ed')), 'cut off');
  assert.not(isFirstHopHelloAt(new Uint8Array(0), 0, 0, 0x86dd));
});

test('ARP and neighbour advertisements that claim a virtual MAC', () => {
  const vmac = 0x00005e000101;
  const ip = parseIpv4('10.0.0.1');
  const arp = (senderMac: number): Uint8Array =>
    arpFrame(0xffffffffffff, 0x525400000001, {
      operation: 2,
      senderMac,
      senderIp: ip,
      targetMac: 0,
      targetIp: ip,
    });
  const claims = (b: Uint8Array, type: number): boolean => claimsVirtualMacAt(b, 14, b.length, type);
  assert.ok(claims(arp(vmac), 0x0806));
  assert.not(claims(arp(0x525400000001), 0x0806));
  const v6 = new Uint8Array(16).fill(1);
  assert.ok(claims(unsolicitedAdvertisement(0x00005e000201, v6), 0x86dd));
  assert.not(claims(unsolicitedAdvertisement(0x525400000001, v6), 0x86dd));
  assert.not(claims(arp(vmac), 0x0800));
});

test('group addresses between bridges', () => {
  const kind = (mac: string): number => reservedGroupAt(at(mac), 1);
  assert.is(kind('01-80-c2-00-00-00'), GROUP_LINK_LOCAL);
  assert.is(kind('01-80-c2-00-00-01'), GROUP_PAUSE);
  assert.is(kind('01-80-c2-00-00-0e'), GROUP_LINK_LOCAL);
  assert.is(kind('01-80-c2-00-00-0f'), GROUP_LINK_LOCAL);
  assert.is(kind('01-80-c2-00-00-10'), GROUP_ORDINARY);
  assert.is(kind('01-80-c2-00-01-00'), GROUP_ORDINARY);
  assert.is(kind('01-00-0c-cc-cc-cd'), GROUP_PVST);
  assert.is(kind('01-00-0c-cc-cc-cc'), GROUP_ORDINARY, 'CDP is flooded, as by any plain bridge');
  assert.is(kind('ff-ff-ff-ff-ff-ff'), GROUP_ORDINARY);
});

test.run();
