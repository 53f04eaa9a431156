/**
 * A fabric for one replay: a port at each site, and what came of the frames that went in there.
 *
 *   sender ── UDP on 127.0.0.1 ── port site-a ─ bridge A ═ fiber ═ bridge B ─ port site-b ── UDP ── sender
 *
 * Each datagram is a virtio header and a frame, as on a packet socket, and stamped by the kernel at both ends: a frame
 * enters the fiber when it was sent and not when the fabric's thread has woken up, and its arrival is the kernel's.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Fabric, type FabricSettings, type FabricSnapshot } from '../fabric/index.js';
import { DROP_REASONS } from '../fiber/index.js';
import { openNioUdpPair } from '../l2/ports/index.js';
import { closeFd, connectUdp, stampArrivals } from '../sys/index.js';
import type { SendingEnd } from './messages.js';
import type { Side } from './sides.js';

const BUFFER_BYTES = 16 * 2 ** 20;
const LOOPBACK = 0x7f000001;
/** Between two looks at the fabric, and after how long what has not come was swallowed by a socket. */
const LOOK_MS = 5;
const SWALLOWED_MS = 2000;
const SITES = ['a', 'b'] as const;

/** Frames that did not arrive, by why; empty when the fabric dropped none. */
export type LossReasons = Readonly<Record<string, number>>;

export interface StageReport {
  /** By the site that the frames left. */
  readonly lostBy: Readonly<Record<Side, LossReasons>>;
  readonly fabric: FabricSnapshot;
}

export class Stage {
  readonly #fabric: Fabric;
  readonly #farFds: number[] = [];

  private constructor(fabric: Fabric) {
    this.#fabric = fabric;
  }

  /** @param mtu of both ports @param onFailure called when the fabric itself has ended */
  static async open(
    settings: FabricSettings,
    mtu: number,
    onFailure: (error: Error) => void,
  ): Promise<Stage> {
    const stage = new Stage(new Fabric({ ...settings, onFailure }));
    try {
      for (const site of SITES) await stage.#attach(site, mtu);
      return stage;
    } catch (e) {
      await stage.close();
      throw e;
    }
  }

  get ends(): readonly [SendingEnd, SendingEnd] {
    const [a, b] = this.#farFds;
    return [
      { fd: a!, headerBytes: 10 },
      { fd: b!, headerBytes: 10 },
    ];
  }

  get fabric(): Fabric {
    return this.#fabric;
  }

  /**
   * Resolves when the fabric has taken in so many frames and let go of all of them. Asked twice in a row, since what
   * was released last may be on its way to the socket still. Frames that a full socket has swallowed never come: when
   * nothing has for two seconds, no more is waited for.
   */
  async settled(frames: number): Promise<void> {
    let quiet = 0;
    let taken = -1;
    let lastChange = Date.now();
    while (quiet < 2) {
      const { ports, fiber } = await this.#fabric.snapshot();
      const came = ports.reduce((sum, p) => sum + p.framesIn, 0);
      if (came !== taken) lastChange = Date.now();
      taken = came;
      const empty = [fiber.aToB, fiber.bToA].every((l) => l.queued.frames + l.inFlight.frames === 0);
      const all = came >= frames || Date.now() - lastChange > SWALLOWED_MS;
      quiet = all && empty ? quiet + 1 : 0;
      await sleep(LOOK_MS);
    }
  }

  async report(): Promise<StageReport> {
    const fabric = await this.#fabric.snapshot();
    return { lostBy: { a: lossReasons(fabric, 'a'), b: lossReasons(fabric, 'b') }, fabric };
  }

  async close(): Promise<void> {
    await this.#fabric.stop();
    for (const fd of this.#farFds.splice(0)) closeFd(fd);
  }

  async #attach(site: Side, mtu: number): Promise<void> {
    const pair = openNioUdpPair(BUFFER_BYTES);
    this.#farFds.push(pair.farFd);
    connectUdp(pair.farFd, { ip: LOOPBACK, port: pair.fabricPort });
    for (const fd of [pair.farFd, pair.fabricFd]) stampArrivals(fd);
    await this.#fabric.addPort({
      name: `site-${site}`,
      site,
      role: 'client',
      kind: 'packet',
      fd: pair.fabricFd,
      options: { mtuBytes: mtu },
    });
  }
}

/** What became of frames from `site`, where they were dropped: bridge here, fiber, bridge there, port there. */
function lossReasons({ bridges, fiber, ports }: FabricSnapshot, site: Side): LossReasons {
  const far = site === 'a' ? 'b' : 'a';
  const reasons: Record<string, number> = {};
  const count = (reason: string, n: number): void => {
    if (n > 0) reasons[reason] = (reasons[reason] ?? 0) + n;
  };
  // It comes in at this site's client port and at the other site's stretch, and goes out the other way round.
  for (const [bridge, from, to] of [
    [bridges[site], 'client', 'stretch'],
    [bridges[far], 'stretch', 'client'],
  ] as const) {
    for (const { role, drops, withheld } of bridge.ports) {
      const here: Readonly<Record<string, number>> = role === from ? drops : role === to ? withheld : {};
      for (const [reason, n] of Object.entries(here)) count(reason, n);
    }
  }
  const lane = site === 'a' ? fiber.aToB : fiber.bToA;
  for (const reason of DROP_REASONS) count(reason, lane.dropped[reason].packets);
  const egress = ports.find((p) => p.site === far);
  count('receiver-busy', egress?.busy ?? 0);
  count('too-long', egress?.tooLong ?? 0);
  return reasons;
}
