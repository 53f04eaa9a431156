/** The summary's section on the clients: one line a session, all moves together. */
import { formatNs } from '../core/index.js';
import type { ClientResult, MigrationResult, RunResult } from '../lab/result.js';
import { formatCount } from './figures.js';
import { median } from './quantile.js';
import { type Column, formatTable, type Paint } from './table.js';

const CLIENT_COLUMNS: readonly Column[] = [
  { title: 'site' },
  { title: 'session' },
  { title: 'sent', align: 'right' },
  { title: 'answered', align: 'right' },
  { title: 'lost', align: 'right' },
  { title: 'repeated', align: 'right' },
  { title: 'wrong', align: 'right' },
  { title: 'resets', align: 'right' },
  { title: 'longest gap', align: 'right' },
  { title: 'RTT at a', align: 'right' },
  { title: 'at b', align: 'right' },
];

export function clientLines(r: RunResult, p: Paint): string[] {
  const seen = new Map<string, { client: ClientResult; move: MigrationResult }[]>();
  for (const move of r.migrations) {
    for (const client of move.clients) {
      const key = `${client.site} ${client.kind}`;
      const list = seen.get(key) ?? [];
      list.push({ client, move });
      seen.set(key, list);
    }
  }
  if (seen.size === 0) return [];
  const rows = [...seen.values()].map((list) => {
    const sum = (key: 'sent' | 'answered' | 'lost' | 'duplicated' | 'wrong' | 'resets'): string =>
      formatCount(list.reduce((n, { client }) => n + client[key], 0));
    /** A client's RTT depends on where the guest stands, whichever way it has just moved. */
    const rttAt = (site: 'a' | 'b'): string => {
      const values = list.flatMap(({ client, move }) => [
        move.from === site ? client.rttBeforeP50Ns : null,
        move.guestAt === site && move.to === site ? client.rttAfterP50Ns : null,
      ]);
      const known = values.filter((v) => v !== null);
      return known.length === 0 ? '–' : formatNs(median(known));
    };
    const { site, kind } = list[0]!.client;
    return [
      site,
      kind,
      ...(['sent', 'answered', 'lost', 'duplicated', 'wrong', 'resets'] as const).map(sum),
      formatNs(Math.max(...list.map(({ client }) => client.longestGapNs))),
      rttAt('a'),
      rttAt('b'),
    ];
  });
  const [head, ...lines] = formatTable(CLIENT_COLUMNS, rows);
  return [p.bold('What the clients saw') + p.dim(' (RTT by where the guest stood)'), p.dim(head!), ...lines];
}
