/** `longhaul capture show FILE`: packets as lines, then every migration with its messages, rounds and times. */
import type { CaptureReader } from '../capture/files/index.js';
import { formatInstant } from '../capture/index.js';
import { ConfigError, formatBytes, formatNs } from '../core/index.js';
import {
  type PacketLine,
  type PageWay,
  type SeenMessage,
  type SeenMigration,
  type Shown,
  showCapture,
} from '../dissect/index.js';
import { formatTable, paint } from '../report/index.js';
import { EXIT_OK } from './exit-codes.js';

/** commander's options. */
export interface CaptureShowTyped {
  readonly limit?: string;
  /** commander's form of `--no-packets`. */
  readonly packets?: boolean;
  readonly tolerant?: boolean;
  readonly json?: boolean;
}

/** What the command needs of the process; tests give their own. */
export interface CaptureReadContext {
  readonly out: (text: string) => unknown;
  readonly colour: boolean;
  readonly openCapture: (path: string, options: { tolerant: boolean }) => Promise<CaptureReader>;
}

/** Reads `--limit`. @throws ConfigError CLI_LIMIT */
export function limitOf(text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new ConfigError('CLI_LIMIT', `--limit ${JSON.stringify(text)} is no number of lines`, {
    hint: 'give a whole number, 0 for none',
  });
}

/** @returns the exit code @throws ConfigError CAPTURE_… */
export async function captureShow(
  file: string,
  typed: CaptureShowTyped,
  context: CaptureReadContext,
): Promise<number> {
  const limit = typed.packets === false ? 0 : limitOf(typed.limit, Number.POSITIVE_INFINITY);
  const reader = await context.openCapture(file, { tolerant: typed.tolerant ?? false });
  let lines = 0;
  const shown = await showCapture(reader, (line) => {
    if (lines++ < limit) context.out(`${typed.json === true ? JSON.stringify(line) : packetText(line)}\n`);
  });
  if (typed.json === true) {
    const migrations = shown.migrations.map((m) => ({ ...m, rounds: [...m.rounds.values()] }));
    context.out(`${JSON.stringify({ ...shown, migrations })}\n`);
  } else {
    context.out(`${summaryText(shown, context.colour)}\n`);
  }
  return EXIT_OK;
}

/** One packet: `   12     0.000400123 site-a in 98  02:… > 02:…` */
export function packetText(line: PacketLine): string {
  const id = line.packetId === null ? '' : ` #${line.packetId}`;
  const where = [line.interfaceName, line.direction].filter((s) => s !== null && s !== '').join(' ');
  const dropped = line.dropped === null ? '' : `dropped: ${line.dropped}; `;
  const place = where + id === '' ? '' : `${where}${id} `;
  return `${String(line.number).padStart(6)} ${seconds(line.atNs)} ${place}${dropped}${line.text}`;
}

/** What comes after the packets. */
export function summaryText(shown: Shown, colour = false): string {
  const p = paint(colour);
  const began = shown.epoch === null ? '' : `, the first at ${formatInstant(shown.epoch, 0)}`;
  const lines = [`${shown.packets} packet${shown.packets === 1 ? '' : 's'}${began}`];
  if (shown.damage !== null) lines.push(p.yellow(`damaged: ${shown.damage}`));
  for (const m of shown.migrations) lines.push('', ...migrationLines(m, p));
  return lines.join('\n');
}

function migrationLines(m: SeenMigration, p: ReturnType<typeof paint>): string[] {
  const { transport, source, destination } = m.links[0]!;
  const more =
    m.links.length > 1 ? ` and ${m.links.length - 1} more link${m.links.length === 2 ? '' : 's'}` : '';
  const lines = [
    p.bold(`migration ${m.id === '' ? '(sealed)' : m.id}`),
    `  ${source} → ${destination}, ${TRANSPORTS[transport]}${more}`,
  ];
  if (m.sealed !== null) {
    const { records, bytes, handshakes } = m.sealed;
    lines.push(
      `  sealed: ${records} records, ${handshakes} of handshakes, ${bytes} bytes; what they say is not in the clear`,
    );
  }
  if (m.messages.length > 0) {
    lines.push(
      ...formatTable(
        ['', '', '', ''].map((title) => ({ title })),
        messageRows(m.messages),
      ),
    );
  }
  if (m.moreMessages > 0) lines.push(`  and ${m.moreMessages} more messages`);
  lines.push(...roundLines(m), ...timingLines(m));
  for (const text of m.unreadable) lines.push(p.yellow(`  not read: ${text}`));
  return lines;
}

/** A row a message; frames forwarded after the pause come in dozens and share one. */
function messageRows(messages: readonly SeenMessage[]): string[][] {
  const rows: string[][] = [];
  for (let i = 0; i < messages.length; i++) {
    const { atNs, from, type, words } = messages[i]!;
    let last = i;
    if (type === 'frame') while (messages[last + 1]?.type === 'frame') last++;
    const said = last === i ? words : `${last - i + 1} frames, until ${seconds(messages[last]!.atNs).trim()}`;
    rows.push([seconds(atNs), ARROWS[from], type, said]);
    i = last;
  }
  return rows;
}

const TRANSPORTS = {
  tcp: 'TCP',
  'stream-datagrams': 'a reliable stream over UDP',
  udp: 'the UDP transport',
} as const;
const ARROWS = { source: '→', destination: '←' } as const;

function roundLines(m: SeenMigration): string[] {
  if (m.rounds.size === 0) return [];
  const rows = [...m.rounds.values()]
    .sort((x, y) => x.round - y.round)
    .map((r) => [
      String(r.round),
      String(Object.values(r.pages).reduce((sum, n) => sum + n, 0)),
      ...waysOf(m).map((way) => String(r.pages[way])),
      formatBytes(r.bytes),
      seconds(r.firstNs).trim(),
      formatNs(r.lastNs - r.firstNs),
    ]);
  const columns = ['round', 'pages', ...waysOf(m), 'bytes', 'from', 'took'].map((title) => ({
    title,
    align: 'right' as const,
  }));
  const demanded = m.demands > 0 ? [`  ${m.demands} pages demanded by the destination`] : [];
  return ['', ...formatTable(columns, rows), ...demanded];
}

/** How pages of this migration travelled at all. */
function waysOf(m: SeenMigration): PageWay[] {
  const ways: readonly PageWay[] = ['raw', 'zero', 'same', 'delta', 'compressed'];
  return ways.filter((way) => [...m.rounds.values()].some(({ pages }) => pages[way] > 0));
}

/** What an engineer reads first: how long it all took, and how long the guest stood. */
function timingLines(m: SeenMigration): string[] {
  const at = (type: SeenMessage['type']): number | null =>
    m.messages.find((x) => x.type === type)?.atNs ?? null;
  const span = (from: number | null, to: number | null, text: string): string[] =>
    from === null || to === null ? [] : [`  ${text} ${formatNs(to - from)}`];
  const last = m.messages.at(-1)?.atNs ?? null;
  const { times } = m;
  return [
    ...span(at('offer'), last, 'offer to last message'),
    ...span(at('arm'), at('final'), 'ARM to FINAL'),
    ...span(at('final'), at('started'), 'FINAL to STARTED'),
    ...(times === null
      ? []
      : [
          `  FINAL received to guest started ${formatNs(times.startedNs - times.finalReceivedNs)}, as the destination says`,
        ]),
    ...span(at('final'), m.announcedNs, 'FINAL to the first announcement'),
    ...span(at('started'), at('complete'), 'STARTED to COMPLETE'),
  ];
}

function seconds(ns: number): string {
  const sign = ns < 0 ? '-' : '';
  const abs = Math.abs(ns);
  return `${sign}${Math.floor(abs / 1e9)}.${String(abs % 1e9).padStart(9, '0')}`.padStart(14);
}
