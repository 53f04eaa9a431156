/** A port as its bridge sees it: its rules, made ready for the hot path, and its figures. */
import { type BridgePortCounters, DROP_HINTS, type DropCounters, type PortRole } from './bridge-contract.js';
import type { PortOptions } from './bridge-options.js';
import { StormControl } from './storm-control.js';
import { DEFAULT_ACCESS, DEFAULT_TRUNK, PortVlanRules } from './vlan.js';

/** Larger than any packet, and small enough for a small integer. */
export const NO_MTU = 0x3fff_ffff;

/** What became of frames that came in. */
export class Tally {
  framesIn = 0;
  forwarded = 0;
  flooded = 0;
  suppressed = 0;
  readonly drops: DropCounters = noDrops();
  readonly withheld: DropCounters = noDrops();

  snapshot() {
    const { framesIn, forwarded, flooded, suppressed, drops, withheld } = this;
    return { framesIn, forwarded, flooded, suppressed, drops: { ...drops }, withheld: { ...withheld } };
  }
}

export class BridgePort {
  readonly tally = new Tally();
  bytesIn = 0;
  framesOut = 0;
  bytesOut = 0;
  readonly isStretch: boolean;
  readonly isIsolated: boolean;
  readonly mtuBytes: number;
  readonly storm: StormControl | null;
  /** `null` on a bridge that is not VLAN-aware. */
  readonly vlan: PortVlanRules | null;
  /** True when no rule of the port's own can keep a frame from it or change one. */
  readonly isPlain: boolean;

  /** @param options checked by `checkPortOptions` */
  constructor(
    readonly number: number,
    readonly name: string,
    readonly role: PortRole,
    options: PortOptions,
    vlanAware: boolean,
  ) {
    this.isStretch = role === 'stretch';
    this.isIsolated = options.isolated ?? false;
    this.mtuBytes = options.mtuBytes ?? NO_MTU;
    this.storm = options.storm ? new StormControl(options.storm) : null;
    const vlan = options.vlan ?? (this.isStretch ? DEFAULT_TRUNK : DEFAULT_ACCESS);
    this.vlan = vlanAware ? new PortVlanRules(vlan) : null;
    this.isPlain = !vlanAware && !this.isIsolated && this.mtuBytes === NO_MTU;
  }

  counters(): BridgePortCounters {
    return {
      port: this.number,
      name: this.name,
      role: this.role,
      bytesIn: this.bytesIn,
      framesOut: this.framesOut,
      bytesOut: this.bytesOut,
      ...this.tally.snapshot(),
    };
  }
}

function noDrops(): DropCounters {
  const none: Record<string, number> = {};
  for (const reason of Object.keys(DROP_HINTS)) none[reason] = 0;
  return none as DropCounters;
}
