/** `--keep`: gives the hosts' namespaces names that people can type, for as long as the run stands. */
import { formatIpv4 } from '../l2/index.js';
import type { AttachedStation } from './attach.js';
import { enterNetnsCommand, nameNetns, unnameNetns } from './named-netns.js';
import type { KeptSite } from './run-events.js';

export class KeptSites {
  readonly sites: readonly KeptSite[];
  readonly #bound: string[] = [];

  /** @param hosts the two host stations, site A first; a loopback attach has nothing to enter */
  constructor(hosts: readonly AttachedStation[]) {
    this.sites = hosts.flatMap((host, i) => {
      if (host.netnsFd === null) return [];
      const peer = formatIpv4(hosts[1 - i]!.station.ip);
      const named = this.#bind(host);
      const namespace = named ?? `/proc/${process.pid}/fd/${host.netnsFd}`;
      const site: KeptSite = {
        site: host.station.site,
        namespace,
        ip: formatIpv4(host.station.ip),
        example: `${enterNetnsCommand(host.netnsFd, named)} ping ${peer}`,
      };
      return [site];
    });
  }

  remove(): void {
    for (const name of this.#bound.splice(0)) unnameNetns(name);
  }

  /** A name for `ip netns exec`; null where /run/netns is closed to us. */
  #bind(host: AttachedStation): string | null {
    const name = `longhaul-${process.pid}-${host.station.site}`;
    if (!nameNetns(host.netnsFd!, name)) return null;
    this.#bound.push(name);
    return name;
  }
}
