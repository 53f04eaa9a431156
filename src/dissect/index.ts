/** Says what is in a capture: its packets, the migrations among them, and how two captures of one traffic differ. */
export { type CaptureDiff, type Difference, type DiffOptions, diffCaptures } from './diff.js';
export type { PageWay } from './link-bytes.js';
export type { SeenMessage, SeenMigration, SeenRound } from './migration.js';
export { type PacketLine, type Shown, showCapture } from './show.js';
