/**
 * The stations of the experiment and their addresses, fixed so that captures of two runs can be compared.
 *
 *   10.80.1.0/24  vMotion (vmk):   host a .1   host b .2
 *   10.80.0.0/24  guest network:   clients .101, .102, …   guest .10, or as the experiment says
 *
 * All of them share one stretched L2 segment. MAC addresses are locally administered, 02:4c:48 ("LH").
 */
import type { PortRole, SiteName } from '../fabric/index.js';

export interface Station {
  readonly name: string;
  readonly site: SiteName;
  readonly role: PortRole;
  /** 48-bit MAC as a number. */
  readonly mac: number;
  readonly ip: number;
  readonly prefix: number;
}

const OUI = 0x024c48 * 0x1000000;
const VMK_NET = 0x0a500100;
const CLIENT_NET = 0x0a500000;

/** Port of the vMotion listener, as ESX has it. */
export const VMOTION_PORT = 8000;

export function hostStation(site: SiteName): Station {
  const n = site === 'a' ? 1 : 2;
  return { name: `vmk-${site}`, site, role: 'vmk', mac: OUI + n, ip: VMK_NET + n, prefix: 24 };
}

/** @param index of the client within the experiment */
export function clientStation(site: SiteName, index: number): Station {
  const n = 101 + index;
  return {
    name: `client-${site}${index}`,
    site,
    role: 'client',
    mac: OUI + 0x100 + n,
    ip: CLIENT_NET + n,
    prefix: 24,
  };
}

/** The station that asks for echoes on a client's behalf, where the client's kernel cannot. */
export function echoStation(site: SiteName, index: number): Station {
  const n = 151 + index;
  return {
    name: `echo-${site}${index}`,
    site,
    role: 'client',
    mac: OUI + 0x100 + n,
    ip: CLIENT_NET + n,
    prefix: 24,
  };
}
