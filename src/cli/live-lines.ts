/**
 * A picture of several lines that is drawn over itself, and steps aside for lines that stay. ECMA-48: CUU
 * (cursor up), ED (erase to the end of the screen).
 */
export class LiveLines {
  readonly #stream: NodeJS.WriteStream;
  #drawn = 0;

  /** @param stream a terminal */
  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
  }

  /** Draws the picture anew. What the terminal has no room for is left out. */
  draw(lines: readonly string[]): void {
    const { columns = 80, rows = 24 } = this.#stream;
    const shown = lines.slice(0, Math.max(1, rows - 1)).map((line) => fit(line, columns));
    this.#stream.write(`${this.#erase()}${shown.join('\n')}\n`);
    this.#drawn = shown.length;
  }

  /** Writes a line that stays; the picture is gone until it is drawn again. */
  say(line: string): void {
    this.#stream.write(`${this.#erase()}${line}\n`);
    this.#drawn = 0;
  }

  /** Leaves the picture as it is. */
  end(): void {
    this.#drawn = 0;
  }

  #erase(): string {
    return this.#drawn === 0 ? '' : `\x1b[${this.#drawn}A\x1b[J`;
  }
}

/** Cuts a line to the terminal's width, so that it takes one row; styles take no room. */
function fit(line: string, columns: number): string {
  let room = columns - 1;
  let text = '';
  for (const part of line.split(STYLE)) {
    if (part.startsWith('\x1b')) text += part;
    else {
      text += part.slice(0, Math.max(0, room));
      room -= part.length;
    }
  }
  return text;
}

/** SGR, kept by `split` as it is in parentheses. */
const STYLE = new RegExp(`(${String.fromCharCode(27)}\\[[0-9;]*m)`);
