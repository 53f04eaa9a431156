export { CellRunner, type Work } from './cell-runner.js';
export { runLocally, workersFor } from './local-pool.js';
export { type CellOutcome, type FailedCell, SweepStore } from './outcome.js';
export {
  type Cell,
  cellOf,
  isSimulated,
  PLAN_FILE,
  type Plan,
  type PlanInput,
  parsePlan,
  parseShard,
  planFrom,
  type SweepErrorCode,
  shardOf,
} from './plan.js';
export { workOn } from './queue.js';
export { type SweepEnd, type SweepOptions, type SweepProgress, sweep } from './sweep.js';
