/** How much each measure does: enough to trust the figure, or with --quick enough to see it. */
export interface Scale {
  /** Times that each peer is measured, in turn. */
  readonly turns: number;
  readonly pings: number;
  readonly tcpSeconds: number;
  readonly streamFrames: number;
  readonly lossFrames: number;
  readonly smallFrameSeconds: number;
  readonly idleSeconds: number;
  readonly distanceTcp: { readonly seconds: number; readonly runs: number; readonly cells: 'all' | 'few' };
}

export const FULL: Scale = {
  turns: 5,
  pings: 1000,
  tcpSeconds: 10,
  streamFrames: 100_000,
  lossFrames: 1_000_000,
  smallFrameSeconds: 2,
  idleSeconds: 10,
  distanceTcp: { seconds: 60, runs: 3, cells: 'all' },
};

export const QUICK: Scale = {
  turns: 1,
  pings: 300,
  tcpSeconds: 3,
  streamFrames: 20_000,
  lossFrames: 200_000,
  smallFrameSeconds: 1,
  idleSeconds: 3,
  distanceTcp: { seconds: 10, runs: 1, cells: 'few' },
};

/** The one-way delays at which release error and round trips are shown. */
export const DISTANCES = [
  { name: '0us', oneWayNs: 0 },
  { name: '400us', oneWayNs: 400_000 },
  { name: '1ms', oneWayNs: 1_000_000 },
  { name: '5ms', oneWayNs: 5_000_000 },
  { name: '50ms', oneWayNs: 50_000_000 },
] as const;
