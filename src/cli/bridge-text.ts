/** A bridge's status in words: the live picture, the periodic line, the answers of `longhaul ctl`. Pure. */
import { formatBps, formatBytes, formatNs, NS_PER_S } from '../core/index.js';
import type { MacSeen } from '../fabric/index.js';
import { DIRECTIONS, type LaneCounters, totalDropped } from '../fiber/index.js';
import type { BridgeStatus, PortStatus } from '../lab/bridge/status.js';
import { formatTable, type Paint } from '../report/index.js';

const SITES = ['a', 'b'] as const;
const RIGHT = { align: 'right' } as const;

/**
 * The whole picture.
 * @param before an earlier status, for rates; without one, rates are means since the bridge began
 */
export function statusLines(status: BridgeStatus, before: BridgeStatus | null, p: Paint): string[] {
  const { lateness } = status;
  const spent = (status.uptimeNs - (before?.uptimeNs ?? 0)) / NS_PER_S;
  const perS = (now: number, then = 0): number => (spent > 0 ? (now - then) / spent : 0);
  return [
    `${p.bold(status.name)}  up ${formatUptime(status.uptimeNs)}  seed ${status.seed}`,
    '',
    ...portTable(status.ports, (port) => {
      const then = before?.ports.find((q) => q.name === port.name);
      return [
        formatBps(8 * perS(port.bytesIn, then?.bytesIn)),
        formatBps(8 * perS(port.bytesOut, then?.bytesOut)),
      ];
    }),
    '',
    ...fiberTable(status, before, perS),
    '',
    `  released late  p50 ${formatNs(lateness.p50Ns)}, p99 ${formatNs(lateness.p99Ns)}, at most ${formatNs(lateness.maxNs)}` +
      `   frames in memory ${formatBytes(status.poolBytes)}`,
    ...SITES.map((site) => `  bridge ${site}       ${bridgeText(status, site)}`),
    ...status.ports
      .filter((port) => port.state === 'gone')
      .map((port) => p.yellow(`  port ${port.name} has vanished`)),
    ...status.warnings.map((text) => p.yellow(`  ${text}`)),
  ];
}

/** One line for a log. */
export function periodicLine(status: BridgeStatus, before: BridgeStatus): string {
  const spent = (status.uptimeNs - before.uptimeNs) / NS_PER_S;
  const lanes = DIRECTIONS.map((direction) => {
    const [now, then] = [laneOf(status, direction), laneOf(before, direction)];
    const rate = formatBps((8 * (now.delivered.wireBytes - then.delivered.wireBytes)) / spent);
    const frames = Math.round((now.delivered.frames - then.delivered.frames) / spent);
    const lost = totalDropped(now).packets - totalDropped(then).packets;
    return `${direction} ${rate} ${frames} frames/s queue ${formatBytes(now.queued.wireBytes)} dropped ${lost}`;
  });
  return `${formatUptime(status.uptimeNs)}  ${lanes.join('  ')}  late p99 ${formatNs(status.lateness.p99Ns)}`;
}

/** `longhaul ctl ports` */
export function portLines(ports: readonly PortStatus[]): string[] {
  return portTable(ports, () => []);
}

/** `longhaul ctl macs` */
export function macLines(macs: Readonly<Record<'a' | 'b', readonly MacSeen[]>>): string[] {
  const all = SITES.flatMap((site) => macs[site].map((m) => ({ site, ...m })));
  if (all.length === 0) return ['no address has been heard yet'];
  const vlans = all.some((m) => m.vid > 0);
  const columns = [
    { title: 'site' },
    ...(vlans ? [{ title: 'VLAN', ...RIGHT }] : []),
    { title: 'address' },
    { title: 'port' },
    { title: 'heard before', ...RIGHT },
  ];
  const rows = all.map((m) => [m.site, ...(vlans ? [String(m.vid)] : []), m.mac, m.port, formatNs(m.ageNs)]);
  return formatTable(columns, rows, '');
}

function portTable(ports: readonly PortStatus[], rates: (port: PortStatus) => readonly string[]): string[] {
  if (ports.length === 0) return ['  no ports'];
  const withRates = rates(ports[0]!).length > 0;
  const columns = [
    { title: 'port' },
    { title: 'site' },
    { title: 'on' },
    { title: 'frames in', ...RIGHT },
    { title: 'frames out', ...RIGHT },
    ...(withRates
      ? [
          { title: 'rate in', ...RIGHT },
          { title: 'rate out', ...RIGHT },
        ]
      : []),
    { title: 'dropped', ...RIGHT },
    { title: '' },
  ];
  const rows = ports.map((port) => [
    port.name,
    port.site,
    port.attach,
    String(port.framesIn),
    String(port.framesOut),
    ...rates(port),
    dropText(port.drops),
    port.state === 'up' ? '' : port.state,
  ]);
  return formatTable(columns, rows);
}

function fiberTable(
  status: BridgeStatus,
  before: BridgeStatus | null,
  perS: (now: number, then?: number) => number,
): string[] {
  const columns = [
    { title: 'fiber' },
    { title: 'carries', ...RIGHT },
    { title: 'queue', ...RIGHT },
    { title: 'in flight', ...RIGHT },
    { title: 'delivered', ...RIGHT },
    { title: 'dropped', ...RIGHT },
    { title: 'set to' },
  ];
  const rows = DIRECTIONS.map((direction, i) => {
    const lane = laneOf(status, direction);
    const then = before === null ? undefined : laneOf(before, direction).delivered.wireBytes;
    return [
      direction,
      formatBps(8 * perS(lane.delivered.wireBytes, then)),
      formatBytes(lane.queued.wireBytes),
      String(lane.inFlight.frames),
      String(lane.delivered.packets),
      dropText(
        Object.fromEntries(Object.entries(lane.dropped).map(([reason, tally]) => [reason, tally.packets])),
      ),
      (status.fiberLines[i] ?? '').replace(/^[ab]-[ab]: /, ''),
    ];
  });
  return formatTable(columns, rows);
}

function bridgeText(status: BridgeStatus, site: 'a' | 'b'): string {
  const { macs, flooded, suppressed, drops } = status.bridges[site];
  const answered = suppressed > 0 ? `, ${suppressed} answered here` : '';
  return `${macs.size} addresses, ${macs.moved} moves, ${flooded} flooded${answered}, dropped ${dropText(drops)}`;
}

/** `12 (9 loss, 3 queue-full)`, `0`. */
function dropText(drops: Readonly<Record<string, number>>): string {
  const some = Object.entries(drops).filter(([, n]) => n > 0);
  const sum = some.reduce((total, [, n]) => total + n, 0);
  return some.length === 0 ? '0' : `${sum} (${some.map(([reason, n]) => `${n} ${reason}`).join(', ')})`;
}

function laneOf(status: BridgeStatus, direction: 'a-b' | 'b-a'): LaneCounters {
  return direction === 'a-b' ? status.lanes.aToB : status.lanes.bToA;
}

/** `42 s`, `3 min 5 s`, `2 h 0 min`. */
function formatUptime(ns: number): string {
  const s = Math.floor(ns / NS_PER_S);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
}
