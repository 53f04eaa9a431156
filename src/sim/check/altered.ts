/**
 * A machine whose actions are altered on their way out: how mutations are made without touching the machine.
 *
 *   event ──► real machine ── actions ──► alter ──► world
 *                  ▲                        │ give: events that did not happen
 *                  └────────────────────────┘
 */
import type { Specimen } from './machine-table.js';

/**
 * @param actions what the real machine does @param event what it was told
 * @param give tells it something more @returns what the world sees it do (altered likewise)
 */
export type Alteration<Event, Action> = (
  actions: readonly Action[],
  event: Event,
  give: (event: Event) => readonly Action[],
) => readonly Action[];

export function altered<Event, Action>(
  machine: Specimen<Event, Action>,
  alter: Alteration<Event, Action>,
): Specimen<Event, Action> {
  return new Altered(machine, alter);
}

class Altered<Event, Action> implements Specimen<Event, Action> {
  readonly #machine: Specimen<Event, Action>;
  readonly #alter: Alteration<Event, Action>;

  constructor(machine: Specimen<Event, Action>, alter: Alteration<Event, Action>) {
    this.#machine = machine;
    this.#alter = alter;
  }

  get phase(): string {
    return this.#machine.phase;
  }

  get state(): object {
    return this.#machine.state;
  }

  nextWakeNs(): number {
    return this.#machine.nextWakeNs();
  }

  step(nowNs: number, event: Event, out: Action[]): void {
    for (const action of this.#given(nowNs, event)) out.push(action);
  }

  #given(nowNs: number, event: Event): readonly Action[] {
    const actions: Action[] = [];
    this.#machine.step(nowNs, event, actions);
    return this.#alter(actions, event, (more) => this.#given(nowNs, more));
  }
}
