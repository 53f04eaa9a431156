/** `--keep`: gives the hosts' namespaces names that people can type, for as long as the run stands. */
import { closeSync, existsSync, mkdirSync, openSync, unlinkSync } from 'node:fs';
import { formatIpv4 } from '../l2/index.js';
import { bindNetns, unbindNetns } from '../sys/index.js';
import type { AttachedStation } from './attach.js';
import type { KeptSite } from './run-events.js';

const NETNS_DIR = '/run/netns';

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
      const enter =
        process.env.LONGHAUL_USER_NAMESPACE === undefined
          ? `nsenter --net=${named === null ? namespace : `${NETNS_DIR}/${named}`}`
          : `nsenter -t ${process.pid} -U --preserve-credentials --net=${namespace}`;
      const site: KeptSite = {
        site: host.station.site,
        namespace,
        ip: formatIpv4(host.station.ip),
        example: `${enter} ping ${peer}`,
      };
      return [site];
    });
  }

  remove(): void {
    for (const path of this.#bound.splice(0)) {
      try {
        unbindNetns(path);
        unlinkSync(path);
      } catch {
        // Somebody removed it already (`ip netns del`): the namespace itself ends with this process.
      }
    }
  }

  /** A name for `ip netns exec`; null where /run/netns is closed to us. */
  #bind(host: AttachedStation): string | null {
    const name = `longhaul-${process.pid}-${host.station.site}`;
    const path = `${NETNS_DIR}/${name}`;
    try {
      if (!existsSync(NETNS_DIR)) mkdirSync(NETNS_DIR, { recursive: true });
      closeSync(openSync(path, 'w'));
      bindNetns(host.netnsFd!, path);
      this.#bound.push(path);
      return name;
    } catch {
      if (existsSync(path)) unlinkSync(path);
      return null;
    }
  }
}
