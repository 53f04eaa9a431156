/** One table of all that was measured: a line a place, a column a system; and what the limits say of it. Pure. */
import { formatTable } from '../../src/report/index.js';
import type { Figure } from '../figures.js';
import { PLACES, type Place, placeName, SYSTEMS, type System } from './cells.js';

const QEMUS = SYSTEMS.filter(({ by }) => by === 'qemu');

type Find = (system: System, place: Place, figure: string) => number | null;

function finder(figures: readonly Figure[]): Find {
  const values = new Map(figures.map((f) => [f.name, f.value]));
  return (system, place, figure) => values.get(`${system.name}.${placeName(place)}.${figure}`) ?? null;
}

function short(value: number | null): string {
  return value === null ? '–' : String(Number(value.toPrecision(3)));
}

/** Each cell: pause / total in ms / MiB on the wire. */
export function peersTable(figures: readonly Figure[]): string {
  const find = finder(figures);
  const columns = [
    { title: 'dirty.rtt.loss' },
    ...SYSTEMS.map(({ name }) => ({ title: name, align: 'right' as const })),
  ];
  const rows = PLACES.filter((p) => SYSTEMS.some((s) => find(s, p, 'pause') !== null)).map((p) => [
    placeName(p),
    ...SYSTEMS.map((s) => ['pause', 'total', 'bytes'].map((f) => short(find(s, p, f))).join(' / ')),
  ]);
  return formatTable(columns, rows, '').join('\n');
}

/** Our figure over the best of QEMU's modes, for places where both are there. */
export function ratios(figures: readonly Figure[]): { readonly name: string; readonly value: number }[] {
  const find = finder(figures);
  return SYSTEMS.filter(({ by }) => by === 'longhaul').flatMap((ours) =>
    PLACES.flatMap((place) =>
      ['pause', 'total'].flatMap((figure) => {
        const own = find(ours, place, figure);
        const theirs = QEMUS.flatMap((q) => find(q, place, figure) ?? []);
        if (own === null || theirs.length === 0) return [];
        const name = `${ours.name}.${placeName(place)}.${figure}_over_qemu_best`;
        return [{ name, value: own / Math.min(...theirs) }];
      }),
    ),
  );
}
