/** Aligned text for a terminal, and the little colour it may have. Pure: the caller says whether to colour. */

export interface Column {
  readonly title: string;
  /** Figures stand right, words left (the default). */
  readonly align?: 'left' | 'right';
}

const GAP = '  ';

/** Lines of a table whose columns are as wide as they must be. Every row has a cell for each column. */
export function formatTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  indent = GAP,
): string[] {
  const widths = columns.map((c, i) => Math.max(c.title.length, ...rows.map((r) => (r[i] ?? '').length)));
  const line = (cells: readonly string[]): string =>
    indent +
    columns
      .map((c, i) => {
        const cell = cells[i] ?? '';
        return c.align === 'right' ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!);
      })
      .join(GAP)
      .trimEnd();
  const head = columns.some((c) => c.title !== '') ? [line(columns.map((c) => c.title))] : [];
  return [...head, ...rows.map(line)];
}

/** Breaks text at spaces so that no line passes `width`; later lines are indented as the first one's text. */
export function wrap(text: string, width: number, first: string, rest = ' '.repeat(first.length)): string[] {
  const lines: string[] = [];
  let line = first;
  let empty = true;
  for (const word of text.split(/\s+/)) {
    if (!empty && line.length + 1 + word.length > width) {
      lines.push(line);
      line = rest;
      empty = true;
    }
    line += empty ? word : ` ${word}`;
    empty = false;
  }
  return [...lines, line];
}

export interface Paint {
  bold(text: string): string;
  dim(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  red(text: string): string;
}

/** ANSI SGR codes (ECMA-48, 8.3.117), or none. */
export function paint(colour: boolean): Paint {
  const style =
    (on: number, off: number) =>
    (text: string): string =>
      colour ? `\x1b[${on}m${text}\x1b[${off}m` : text;
  return {
    bold: style(1, 22),
    dim: style(2, 22),
    green: style(32, 39),
    yellow: style(33, 39),
    red: style(31, 39),
  };
}
