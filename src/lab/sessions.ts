/**
 * The clients of a run: a process each, at a site that it does not leave, that holds sessions with the guest whoever
 * moves it, and says what it saw of every move. Two of them also measure the round trip before there is a guest.
 */
import { LonghaulError, PAGE_SIZE } from '../core/index.js';
import type { Fabric } from '../fabric/index.js';
import { parseIpv4 } from '../l2/index.js';
import { openNioUdpPair } from '../l2/ports/index.js';
import { closeFd, nowNs } from '../sys/index.js';
import { type AttachedStation, attachStation, type ChosenAttach, closeStation } from './attach.js';
import { Child, inheritedFd } from './child.js';
import type { ClientReply, ClientRequest, PortAttach, ProbeResult } from './client/protocol.js';
import { rawSocketBuilt } from './client/raw-socket.js';
import { type Experiment, SITES, type Site } from './config/experiment.js';
import type { ClientResult } from './result.js';
import { clientResult } from './result-parts.js';
import { clientStation, echoStation } from './stations.js';

const CLIENT_PROCESS = new URL('./client/client-process.js', import.meta.url);
const ECHO_BUFFER_BYTES = 4 * 2 ** 20;
/** A machine that boots longer is talked to while it does. */
const BOOT_LIMIT_NS = 20_000_000_000;
const BOOT_PROBE_NS = 10_000_000;
/** Requests before the probe that count for nothing: ARP, bridge tables, code that has not run yet. */
const WARM_UP_PROBES = 20;

interface Client {
  readonly site: Site;
  readonly station: AttachedStation;
  readonly child: Child<ClientRequest, ClientReply>;
  /** Holds no session: it is there to be asked for echoes. */
  readonly silent: boolean;
}

export type SessionsExperiment = Pick<Experiment, 'clients' | 'guest' | 'probe'>;

export class Sessions {
  readonly #experiment: SessionsExperiment;
  readonly #chosen: ChosenAttach;
  readonly #fabric: Fabric;
  readonly #epochNs: number;
  readonly #note: (text: string) => void;
  readonly #clients: Client[] = [];
  /** Ends of ports that children have inherited: ours to close. */
  readonly #descriptors: number[] = [];
  #over = false;

  /** @param note told what a reader of the result should know */
  constructor(
    experiment: SessionsExperiment,
    chosen: ChosenAttach,
    fabric: Fabric,
    epochNs: number,
    note: (text: string) => void,
  ) {
    this.#experiment = experiment;
    this.#chosen = chosen;
    this.#fabric = fabric;
    this.#epochNs = epochNs;
    this.#note = note;
  }

  /** Attaches the experiment's clients, silent so far, and somebody who answers echoes at a site that has none. */
  async attach(): Promise<void> {
    if (this.#experiment.guest.kind === 'pc' && this.#chosen.kind !== 'netns')
      this.#note('clients talk ICMP and UDP to the machine: TCP needs the kernel network of attach netns');
    for (const { site } of this.#experiment.clients) await this.#add(site, false);
    for (const site of SITES) if (!this.#clients.some((c) => c.site === site)) await this.#add(site, true);
  }

  /** Measures the round trip through both bridges and the fiber by ICMP. */
  async probe(): Promise<ProbeResult> {
    const [near, far] = SITES.map((site) => this.#clients.find((c) => c.site === site)!);
    const { count, intervalNs } = this.#experiment.probe;
    const ask = (n: number) =>
      near!.child.ask({ type: 'probe', ip: far!.station.station.ip, count: n, intervalNs }, 'probed');
    await ask(Math.min(WARM_UP_PROBES, count));
    return (await ask(count)).result;
  }

  /** Waits until the guest answers an echo: a machine boots first, and what is sent meanwhile would count as lost. */
  async awaitGuest(): Promise<void> {
    const ip = parseIpv4(this.#experiment.guest.ip);
    const untilNs = nowNs() + BOOT_LIMIT_NS;
    while (nowNs() < untilNs) {
      const { result } = await this.#clients[0]!.child.ask(
        { type: 'probe', ip, count: 1, intervalNs: BOOT_PROBE_NS },
        'probed',
      );
      if (result.lost === 0) return;
    }
    this.#note('the machine does not answer echo requests; its sessions begin all the same');
  }

  /** Begins a new account of every session: what follows is charged to the next move. The first one starts them. */
  async mark(what: 'before' | 'after'): Promise<void> {
    await Promise.all(this.#talking().map(({ child }) => child.ask({ type: 'mark', what }, 'marked')));
  }

  /** What each session saw since the last account. */
  async accounts(): Promise<ClientResult[]> {
    const results: ClientResult[] = [];
    for (const { site, child } of this.#talking()) {
      const { sessions, dropped } = await child.ask({ type: 'account' }, 'accounted');
      if (dropped > 0)
        this.#note(
          `client at ${site.toUpperCase()}: its own kernel dropped ${dropped} answers that had come, since it was not scheduled`,
        );
      for (const { kind, seen } of sessions) {
        results.push(clientResult(site, kind, seen, this.#epochNs));
        if (seen.firstWrong !== null)
          this.#note(`client at ${site.toUpperCase()}: ${kind}: ${seen.firstWrong}`);
      }
    }
    return results;
  }

  /** Ends the processes; their ports go with them. Safe at any moment: what is being attached then is not begun. */
  async end(): Promise<void> {
    this.#over = true;
    const ended = this.#clients.splice(0);
    await Promise.all(ended.map(({ child }) => child.end({ type: 'end' })));
    for (const { station } of ended) closeStation(station);
    for (const fd of this.#descriptors.splice(0)) closeFd(fd);
  }

  #talking(): Client[] {
    return this.#clients.filter(({ silent }) => !silent);
  }

  async #add(site: Site, silent: boolean): Promise<void> {
    const index = this.#clients.length;
    const spec = silent ? null : this.#experiment.clients[index]!;
    const station = attachStation(this.#chosen, clientStation(site, index));
    const { netnsFd, farFd, fabricUdpPort } = station;
    await this.#fabric.addPort(station.port);
    const echo = netnsFd !== null && !rawSocketBuilt() ? await this.#attachEcho(site, index) : null;
    if (this.#over) {
      closeStation(station);
      for (const fd of this.#descriptors.splice(0)) closeFd(fd);
      throw new LonghaulError('LAB_INTERRUPTED', 'the run ended while its clients were attached');
    }
    const inherited = farFd ?? echo?.farFd ?? null;
    const fds = inherited === null ? [] : [inherited];
    const child: Client['child'] = new Child({
      name: `client ${site}${index}`,
      file: CLIENT_PROCESS,
      netnsFd,
      fds,
    });
    this.#clients.push({ site, station, child, silent });
    const { mac, ip } = station.station;
    const ready = await child.ask(
      {
        type: 'begin',
        orders: {
          clientId: index + 1,
          attach:
            netnsFd !== null
              ? { kind: 'kernel', echo: echo === null ? null : echo.attach }
              : { kind: 'port', fd: inheritedFd(0), fabricUdpPort: fabricUdpPort!, mac, ip },
          guestIp: parseIpv4(this.#experiment.guest.ip),
          guestPages: this.#experiment.guest.memoryBytes / PAGE_SIZE,
          guestKind: this.#experiment.guest.kind,
          icmpIntervalNs: spec?.icmpIntervalNs ?? null,
          serviceIntervalNs: spec?.serviceIntervalNs ?? null,
        },
      },
      'ready',
    );
    if (ready.note !== null) this.#note(`client at ${site.toUpperCase()}: ${ready.note}`);
  }

  /** A port of the bridge for a client's echoes, where its own kernel cannot ask for them. */
  async #attachEcho(
    site: Site,
    index: number,
  ): Promise<{ readonly farFd: number; readonly attach: PortAttach }> {
    const { name, mac, ip } = echoStation(site, index);
    const pair = openNioUdpPair(ECHO_BUFFER_BYTES);
    this.#descriptors.push(pair.farFd);
    await this.#fabric.addPort({ name, site, role: 'client', kind: 'nio-udp', fd: pair.fabricFd });
    return { farFd: pair.farFd, attach: { fd: inheritedFd(0), fabricUdpPort: pair.fabricPort, mac, ip } };
  }
}
