/**
 * longhaul as a library: describe an experiment, run it, read its result. README.md has an example, and
 * `examples/library.ts` a complete one. The machines are exported too, for programs that drive them themselves.
 */

export type { Machine } from './core/index.js';
export { ConfigError, EnvironmentError, LonghaulError } from './core/index.js';
export { Fiber, type FiberSettings, PROFILES, resolveFiber } from './fiber/index.js';
export { Bridge, EndStation } from './l2/index.js';
export type { Experiment } from './lab/config/experiment.js';
export { experimentFrom, parseExperiment, readSource } from './lab/config/experiment-file.js';
export { parseResult, type RunResult } from './lab/result.js';
export { runExperiment } from './lab/run.js';
export type { RunEvent, RunHooks } from './lab/run-events.js';
export { summarize } from './report/index.js';
export { Destination, Source } from './vmotion-protocol/index.js';
