/**
 * The search: every world that can be reached, those with the fewest faults first, each once.
 *
 *   0 faults ─► all worlds ─► 1 fault ─► all worlds ─► … until none is left, or the limit is reached
 *
 * Two questions: does a rule break anywhere (safety, at every move), and is there a world from which no finished path
 * leads on although nothing more goes wrong (rule 6, by walking the fair moves backwards from the ends).
 */
import type { Bounds } from './bounds.js';
import { NO_JOURNAL } from './journal.js';
import { Model, type Mutation } from './model.js';
import { isFair, isFault } from './move-names.js';
import { Moves } from './moves.js';
import { checkAlways, checkEnd, isOver, Violation } from './rules.js';
import { World } from './world.js';

export interface Counterexample {
  readonly rule: number;
  readonly text: string;
  /** Moves from the first world on; the last one breaks the rule. */
  readonly moves: readonly number[];
}

export interface Exploration {
  /** Distinct worlds reached. */
  readonly states: number;
  /** The longest of the paths by which worlds were first reached. */
  readonly depth: number;
  /** No world was left out for the limit. */
  readonly exhaustive: boolean;
  /** All worlds with so many faults were reached, and gone on from; -1 when not even those without one. */
  readonly faultsCovered: number;
  /** Distinct states of the two machines. */
  readonly machineStates: readonly [source: number, destination: number];
  readonly violation: Counterexample | null;
}

/** @param statesMax where to stop */
export function explore(bounds: Bounds, statesMax: number, mutation: Mutation | null = null): Exploration {
  return new Search(bounds, statesMax, mutation).run();
}

/**
 * Whether what is taken for one state of a machine is one, in every state that a search of these bounds meets.
 * @returns how many states of either machine were met by several ways, and how many of them differ
 */
export function machinesAgree(
  bounds: Bounds,
  statesMax: number,
): { readonly merged: number; readonly differing: number } {
  return new Search(bounds, statesMax, null).agreement();
}

class Search {
  readonly #statesMax: number;
  readonly #model: Model;
  readonly #moves: Moves;
  readonly #texts: string[] = [];
  readonly #ids = new Map<string, number>();
  readonly #parents: number[] = [];
  readonly #by: number[] = [];
  readonly #depths: number[] = [];
  /** Worlds to go on from, by the faults spent on the way. */
  readonly #queues: number[][] = [[]];
  readonly #ends: number[] = [];
  /** Fair moves, to be walked backwards: to, from. */
  readonly #fairTo: number[] = [];
  readonly #fairFrom: number[] = [];
  #depth = 0;
  #faultsCovered = -1;

  constructor(bounds: Bounds, statesMax: number, mutation: Mutation | null) {
    this.#statesMax = statesMax;
    this.#model = new Model(bounds.mode, bounds.pages, mutation);
    this.#moves = new Moves(this.#model, bounds, NO_JOURNAL);
  }

  run(): Exploration {
    this.#enter(this.#moves.first(), -1, 0, 0);
    let done = 0;
    for (let faults = 0; faults < this.#queues.length; faults++) {
      const queue = this.#queues[faults]!;
      for (let i = 0; i < queue.length; i++) {
        if (this.#texts.length >= this.#statesMax) return this.#result(false, null);
        const violation = this.#goOn(queue[i]!, faults);
        if (violation !== null) return this.#result(false, violation);
        done++;
      }
      this.#queues[faults] = [];
      this.#faultsCovered = faults;
    }
    return this.#result(done === this.#texts.length, this.#stuck());
  }

  agreement(): { readonly merged: number; readonly differing: number } {
    this.run();
    const tables = [this.#model.source, this.#model.destination];
    return {
      merged: tables.reduce((n, table) => n + table.merged, 0),
      differing: tables.reduce((n, table) => n + table.differing().length, 0),
    };
  }

  #goOn(id: number, faults: number): Counterexample | null {
    const world = World.decode(this.#texts[id]!);
    const possible: number[] = [];
    this.#moves.possible(world, possible);
    for (const move of possible) {
      try {
        const next = this.#moves.after(world, move);
        checkAlways(next);
        const to = this.#enter(next, id, move, isFault(move) ? faults + 1 : faults);
        if (to !== id && isFair(move)) {
          this.#fairTo.push(to);
          this.#fairFrom.push(id);
        }
      } catch (e) {
        if (!(e instanceof Violation)) throw e;
        return { rule: e.rule, text: e.message, moves: [...this.#pathTo(id), move] };
      }
    }
    return null;
  }

  #enter(world: World, parent: number, move: number, faults: number): number {
    const text = world.encode();
    const known = this.#ids.get(text);
    if (known !== undefined) return known;
    if (isOver(world, this.#moves.sourceOver(world))) {
      checkEnd(world, this.#moves.faultless(world));
      this.#ends.push(this.#texts.length);
    }
    const id = this.#texts.length;
    const depth = parent < 0 ? 0 : this.#depths[parent]! + 1;
    this.#texts.push(text);
    this.#ids.set(text, id);
    this.#parents.push(parent);
    this.#by.push(move);
    this.#depths.push(depth);
    this.#depth = Math.max(this.#depth, depth);
    while (this.#queues.length <= faults) this.#queues.push([]);
    this.#queues[faults]!.push(id);
    return id;
  }

  /** A world from which no end can be reached without luck: the first one found. */
  #stuck(): Counterexample | null {
    const count = this.#texts.length;
    const starts = new Uint32Array(count + 1);
    for (const to of this.#fairTo) starts[to + 1]!++;
    for (let i = 0; i < count; i++) starts[i + 1]! += starts[i]!;
    const from = new Uint32Array(this.#fairTo.length);
    const fill = starts.slice();
    for (let i = 0; i < this.#fairTo.length; i++) from[fill[this.#fairTo[i]!]!++] = this.#fairFrom[i]!;
    const reaches = new Uint8Array(count);
    const stack = [...this.#ends];
    for (const id of stack) reaches[id] = 1;
    while (stack.length > 0) {
      const id = stack.pop()!;
      for (let i = starts[id]!; i < starts[id + 1]!; i++) {
        if (reaches[from[i]!] === 1) continue;
        reaches[from[i]!] = 1;
        stack.push(from[i]!);
      }
    }
    const id = reaches.indexOf(0);
    if (id < 0) return null;
    const text = 'nothing more goes wrong, and yet the migration can come to no end';
    return { rule: 6, text, moves: this.#pathTo(id) };
  }

  #pathTo(id: number): number[] {
    const moves: number[] = [];
    for (let at = id; this.#parents[at]! >= 0; at = this.#parents[at]!) moves.push(this.#by[at]!);
    return moves.reverse();
  }

  #result(exhaustive: boolean, violation: Counterexample | null): Exploration {
    return {
      states: this.#texts.length,
      depth: this.#depth,
      exhaustive,
      faultsCovered: this.#faultsCovered,
      machineStates: [this.#model.source.size, this.#model.destination.size],
      violation,
    };
  }
}
