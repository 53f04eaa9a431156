/** What happens in a world, as it happens: for the diagram of a counterexample. A search writes none. */
import type { DestinationEffect, SourceEffect } from './model.js';

export interface Journal {
  /** A machine ordered this. */
  did(side: 'a' | 'b', effect: SourceEffect | DestinationEffect): void;
}

export const NO_JOURNAL: Journal = Object.freeze({ did: () => {} });
