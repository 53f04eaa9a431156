/** Records that only the two hosts of a run can make and read. Pure: the ciphers are injected. */
export * from './datagram-records.js';
export * from './greeting.js';
export { expandLabel, TrafficKey } from './key-schedule.js';
export { KEY_LIMITS, type KeyLimits } from './key-usage.js';
export * from './record-header.js';
export * from './refusals.js';
export { REPLAY_WINDOW_DEFAULT, ReplayWindow } from './replay-window.js';
export * from './stream-records.js';
export * from './suite.js';
