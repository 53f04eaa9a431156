/** The model checker: all that can happen to a switchover, with the real machines. `test/prove` is its command. */
export { type Alteration, altered } from './altered.js';
export { type Bounds, FULL_BOUNDS, QUIET_BOUNDS } from './bounds.js';
export { diagramOf } from './diagram.js';
export { type Counterexample, type Exploration, explore, machinesAgree } from './explore.js';
export type { DestinationSpecimen, Mutation, SourceSpecimen } from './model.js';
export { readSchedule, writeSchedule } from './schedule.js';
