/** Replays captures: through the fabric between the sites, or out of an interface, at their own pace. */
export type { ReplayErrorCode } from './errors.js';
export { toEthernet } from './link-layer.js';
export { type Pace, parsePace } from './pacing.js';
export { type Distribution, DurationHistogram } from './pacing-errors.js';
export { type ReplayHooks, type ReplayOptions, replay } from './replay.js';
export type { DirectionResult, ReplayResult } from './result.js';
export {
  parseIpRule,
  parseMacRule,
  parseVlanRule,
  type RewriteRules,
} from './rewrite.js';
export type { Stage } from './stage.js';
export { parseTarget, type Target } from './targets.js';
export { Selection } from './train.js';
