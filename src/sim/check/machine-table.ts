/**
 * A machine as a table: states by number, and for each state and event where it leads and what it does. The product
 * of both hosts and the network has millions of states, each machine alone a few thousand: so the real machine is
 * run once for every pair of its own state and event, and all else is looked up.
 *
 *   state 17 ── rx FINAL ──► state 23, [record RUNNING, …]        kept after the first time
 *      ▲
 *      └── a machine in state 17: built anew and given the events that lead there, or one left standing there
 *
 * Left out: copying machines. A machine need not know how; replaying costs little since it is rare.
 */
import { type Machine, WOKE, type Woke } from '../../core/index.js';
import { fingerprint } from './fingerprint.js';

/** A machine that shows where it stands. */
export interface Specimen<Event, Action> extends Machine<Event, Action> {
  readonly phase: string;
  /** All that decides what it does next. */
  readonly state: object;
}

export interface Step<Effect> {
  readonly to: number;
  readonly effects: readonly Effect[];
}

interface Entry<Event, Effect> {
  readonly root: number;
  /** -1 for a machine just built. */
  readonly parent: number;
  readonly event: (() => Event) | null;
  readonly phase: string;
  readonly waits: boolean;
  readonly steps: Map<string, Step<Effect> & { readonly event: () => Event }>;
}

interface Standing<Event, Action> {
  readonly machine: Specimen<Event, Action>;
  nowNs: number;
}

export class MachineTable<Event, Action, Effect> {
  readonly #build: (root: number) => Specimen<Event, Action>;
  readonly #effectOf: (action: Action) => Effect | null;
  readonly #entries: Entry<Event, Effect>[] = [];
  readonly #ids = new Map<string, number>();
  readonly #roots = new Map<number, number>();
  /** One machine left standing in a state, until it is led on. */
  readonly #standing = new Map<number, Standing<Event, Action>>();
  /** Times that two histories led to one state: what a checker of this table samples. */
  readonly #merged: { readonly id: number; readonly parent: number; readonly event: () => Event }[] = [];

  /**
   * @param build a new machine; `root` tells kinds of new machines apart
   * @param effectOf what an action is to the world; null when it is nothing
   */
  constructor(build: (root: number) => Specimen<Event, Action>, effectOf: (action: Action) => Effect | null) {
    this.#build = build;
    this.#effectOf = effectOf;
  }

  /** States seen so far. */
  get size(): number {
    return this.#entries.length;
  }

  /** How often a state was reached by one more way. */
  get merged(): number {
    return this.#merged.length;
  }

  phase(id: number): string {
    return this.#entries[id]!.phase;
  }

  /** Whether it waits for a time to come. */
  waits(id: number): boolean {
    return this.#entries[id]!.waits;
  }

  /** The state of a machine just built. */
  root(root: number): number {
    let id = this.#roots.get(root);
    if (id === undefined) {
      id = this.#enter({ machine: this.#build(root), nowNs: 0 }, root, -1, null);
      this.#roots.set(root, id);
    }
    return id;
  }

  /** @param key names the event: equal keys, equal events @param event makes it anew, since machines may keep it */
  step(id: number, key: string, event: () => Event): Step<Effect> {
    const { steps, root } = this.#entries[id]!;
    const known = steps.get(key);
    if (known !== undefined) return known;
    const standing = this.#take(id);
    const effects = this.#give(standing, event());
    const to = this.#enter(standing, root, id, event);
    const step = { to, effects, event };
    steps.set(key, step);
    return step;
  }

  /** The step that the passing of time brings. */
  wake(id: number): Step<Effect> {
    return this.step(id, 'woke', () => WOKE as Event & Woke);
  }

  /**
   * Whether states that were taken for one are: leads a machine by the other history, gives it each event known in
   * that state, and compares.
   * @returns the states where they are not
   */
  differing(): readonly number[] {
    const wrong = new Set<number>();
    for (const { id, parent, event } of this.#merged) {
      for (const step of this.#entries[id]!.steps.values()) {
        const standing = this.#replayed(parent);
        this.#give(standing, event());
        const effects = this.#give(standing, step.event());
        const same =
          fingerprint(effects) === fingerprint(step.effects) &&
          this.#ids.get(this.#textOf(standing, this.#entries[id]!.root)) === step.to;
        if (!same) wrong.add(id);
      }
    }
    return [...wrong];
  }

  #give(standing: Standing<Event, Action>, event: Event): Effect[] {
    if ((event as { type?: string }).type === 'woke') standing.nowNs = standing.machine.nextWakeNs();
    const out: Action[] = [];
    standing.machine.step(standing.nowNs, event, out);
    return out.map(this.#effectOf).filter((e) => e !== null);
  }

  #enter(
    standing: Standing<Event, Action>,
    root: number,
    parent: number,
    event: (() => Event) | null,
  ): number {
    const text = this.#textOf(standing, root);
    const known = this.#ids.get(text);
    if (known !== undefined) {
      if (event !== null) this.#merged.push({ id: known, parent, event });
      return known;
    }
    const id = this.#entries.length;
    const { phase } = standing.machine;
    const waits = Number.isFinite(standing.machine.nextWakeNs());
    this.#entries.push({ root, parent, event, phase, waits, steps: new Map() });
    this.#ids.set(text, id);
    this.#standing.set(id, standing);
    return id;
  }

  #textOf({ machine }: Standing<Event, Action>, root: number): string {
    return `${root} ${fingerprint(machine.state)}`;
  }

  #take(id: number): Standing<Event, Action> {
    const standing = this.#standing.get(id);
    if (standing === undefined) return this.#replayed(id);
    this.#standing.delete(id);
    return standing;
  }

  #replayed(id: number): Standing<Event, Action> {
    const events: (() => Event)[] = [];
    let entry = this.#entries[id]!;
    for (; entry.event !== null; entry = this.#entries[entry.parent]!) events.push(entry.event);
    const standing = { machine: this.#build(entry.root), nowNs: 0 };
    for (let i = events.length - 1; i >= 0; i--) this.#give(standing, events[i]!());
    return standing;
  }
}
