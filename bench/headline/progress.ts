/**
 * Progress of a bench of cells: on a terminal one live line with the move under way and the time left, elsewhere a line
 * for each cell. Time left is reckoned by moves, as long as those so far took.
 */
import { say } from '../figures.js';

/** Until so many moves are made, what is left is not known. */
const MOVES_KNOWN = 2;

export class BenchProgress {
  readonly #cells: number;
  /** Moves of all cells that have no result yet. */
  readonly #moves: number;
  readonly #movesACell: number;
  readonly #startedMs = performance.now();
  #made = 0;
  #madeOfCell = 0;
  #ended: number;

  /** @param before cells that have a result already */
  constructor(cells: number, before: number, movesACell: number) {
    this.#cells = cells;
    this.#ended = before;
    this.#movesACell = movesACell;
    this.#moves = (cells - before) * movesACell;
  }

  /** A move of the cell under way is over. */
  moved(name: string, made: number): void {
    this.#madeOfCell = made;
    if (!process.stderr.isTTY) return;
    const place = `${this.#ended + 1}/${this.#cells} ${name}: move ${made} of ${this.#movesACell}`;
    process.stderr.write(`\r\x1b[K${place}${this.#left()}`);
  }

  /** The cell under way is over. @param trouble why it has no result; empty when it has one */
  ended(name: string, trouble: string): void {
    this.#made += this.#movesACell;
    this.#madeOfCell = 0;
    this.#ended++;
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
    say(`${this.#ended}/${this.#cells} ${name}${trouble === '' ? '' : `: ${trouble}`}${this.#left()}`);
  }

  #left(): string {
    const made = this.#made + this.#madeOfCell;
    const left = this.#moves - made;
    if (made < MOVES_KNOWN || left <= 0) return '';
    const ms = ((performance.now() - this.#startedMs) / made) * left;
    return `, ${ms < 90_000 ? `${Math.ceil(ms / 1000)} s` : `${Math.round(ms / 60_000)} min`} left`;
  }
}
