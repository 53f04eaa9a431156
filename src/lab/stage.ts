/**
 * What stands between the sites whoever moves the guest: the fabric, the stations of the two hosts, the clients, and the
 * account of what happened. What is made here is also removed here.
 */
import { describeRecording } from '../capture/index.js';
import { LonghaulError } from '../core/index.js';
import type { Fabric, FabricSnapshot } from '../fabric/index.js';
import { nowNs } from '../sys/index.js';
import { type AttachedStation, attachStation, type ChosenAttach, closeStation } from './attach.js';
import { startBackground } from './background.js';
import { type Experiment, SITES, type Site } from './config/experiment.js';
import { eventLine } from './event-words.js';
import { openFabric, recordRun } from './open-fabric.js';
import type { RunResult } from './result.js';
import type { RunHooks } from './run-events.js';
import { Sessions } from './sessions.js';
import { hostStation } from './stations.js';

export class Stage {
  readonly notes: string[] = [];
  readonly #experiment: Experiment;
  readonly #chosen: ChosenAttach;
  readonly #epochNs: number;
  readonly #hooks: RunHooks;
  readonly #stations: AttachedStation[] = [];
  readonly #timeline: { atNs: number; where: string; what: string }[] = [];
  #fabric: Fabric | null = null;
  #sessions: Sessions | null = null;
  #over = false;
  #stopBackground: (() => void) | null = null;

  constructor(experiment: Experiment, chosen: ChosenAttach, epochNs: number, hooks: RunHooks) {
    this.#experiment = experiment;
    this.#chosen = chosen;
    this.#epochNs = epochNs;
    this.#hooks = hooks;
  }

  get fabric(): Fabric {
    return this.#fabric!;
  }

  get sessions(): Sessions {
    return this.#sessions!;
  }

  /** The two stations of the hosts, site A first. */
  get hostStations(): AttachedStation[] {
    return this.#stations;
  }

  stationOf(site: Site): AttachedStation {
    return this.#stations.find(({ station }) => station.site === site)!;
  }

  /** The fabric, its recording, and a station for the host of each site. @param title of the recording */
  async open(title: string): Promise<void> {
    const note = (text: string): void => this.note(text);
    this.#fabric = openFabric(this.#experiment, { happened: (what) => this.mark('fabric', what), note });
    await recordRun(this.#fabric, this.#experiment, this.#hooks, title, note);
    // One after the other: each moves this thread through a namespace.
    for (const site of SITES) {
      const attached = attachStation(this.#chosen, hostStation(site));
      this.#stations.push(attached);
      await this.#fabric.addPort(attached.port);
    }
  }

  /** Attaches the clients, silent so far, and the other traffic. */
  async admitClients(): Promise<void> {
    if (this.#over) throw new LonghaulError('LAB_INTERRUPTED', 'the run ended while it was built');
    this.#sessions = new Sessions(this.#experiment, this.#chosen, this.fabric, this.#epochNs, (text) =>
      this.note(text),
    );
    await this.#sessions.attach();
    this.#stopBackground = await startBackground(this.fabric, this.#experiment.background);
  }

  /** Something that a reader of the result should know. */
  note(text: string): void {
    this.notes.push(text);
    this.#hooks.onEvent({ type: 'note', text });
  }

  mark(where: string, what: string): void {
    this.happened(nowNs(), where, what);
  }

  happened(atNs: number, where: string, what: string): void {
    this.#timeline.push({ atNs, where, what });
    this.#fabric?.comment(atNs, eventLine(where, what));
  }

  timeline(): RunResult['timeline'] {
    return this.#timeline
      .map((e) => ({ ...e, atNs: Math.max(0, e.atNs - this.#epochNs) }))
      .sort((x, y) => x.atNs - y.atNs);
  }

  /** Ends the recording, if there is one. */
  async finishRecording(): Promise<void> {
    const report = (await this.#fabric?.stopRecording()) ?? null;
    if (report !== null) this.note(describeRecording(report));
  }

  async snapshot(): Promise<FabricSnapshot> {
    return this.fabric.snapshot();
  }

  /** Safe at any moment, also half-way through `open`. @param others what is ended beside the clients, before the fabric */
  async tearDown(others: readonly Promise<unknown>[]): Promise<void> {
    this.#over = true;
    this.#stopBackground?.();
    await Promise.all([this.#sessions?.end(), ...others]);
    await this.#fabric?.stop();
    for (const station of this.#stations.splice(0)) closeStation(station);
  }
}

/** Wire bytes that the host of a site has put into the fabric. */
export function hostBytes(s: FabricSnapshot, site: Site): number {
  return s.ports
    .filter((p) => p.site === site && p.role === 'vmk')
    .reduce((sum, p) => sum + p.wireBytesIn, 0);
}
