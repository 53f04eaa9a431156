/** Replays captures: through the fabric between the sites, or out of an interface, at their own pace. */
export type { ReplayErrorCode } from './errors.js';
export { parsePrefix } from './ip-prefix.js';
export { isFrameable, toEthernet } from './link-layer.js';
export { describePace, type Pace, parsePace } from './pacing.js';
export { type Distribution, DurationHistogram } from './pacing-errors.js';
export { type ReplayHooks, type ReplayOptions, replay } from './replay.js';
export { type DirectionResult, REPLAY_SCHEMA, type ReplayResult } from './result.js';
export {
  type IpRule,
  NO_REWRITE,
  parseIpRule,
  parseMacRule,
  parseVlanRule,
  type RewriteRules,
  type VlanRule,
} from './rewrite.js';
export type { Stage } from './stage.js';
export { parseTarget, type Target } from './targets.js';
export { Selection } from './train.js';
