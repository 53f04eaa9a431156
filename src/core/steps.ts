/**
 * Gives a machine its events one at a time, and its driver the actions in their order.
 *
 *   give(event) ─► step ─► actions ─► carryOut, one by one ─► (gives another event: its actions queue behind)
 */
import type { Machine } from './machine.js';

export class Steps<Event, Action> {
  readonly #machine: Pick<Machine<Event, Action>, 'step'>;
  readonly #carryOut: (action: Action) => void;
  readonly #actions: Action[] = [];

  constructor(machine: Pick<Machine<Event, Action>, 'step'>, carryOut: (action: Action) => void) {
    this.#machine = machine;
    this.#carryOut = carryOut;
  }

  /** @returns whether all that follows has been done; false from within `carryOut`, where it queues */
  give(nowNs: number, event: Event): boolean {
    const actions = this.#actions;
    const first = actions.length;
    this.#machine.step(nowNs, event, actions);
    if (first > 0) return false;
    for (let i = 0; i < actions.length; i++) this.#carryOut(actions[i]!);
    actions.length = 0;
    return true;
  }
}
