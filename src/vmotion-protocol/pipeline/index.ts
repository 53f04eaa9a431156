/** The page pipeline: in how few bytes a page can travel, and making a page of them again. No sockets, no clock. */
export { agreeOnCodec, codecList, type PageCodec } from './codec.js';
export { applyDelta, encodeDelta } from './delta.js';
export { EncodedRecord } from './encoded-record.js';
export * from './encoding.js';
export { UNORDERED } from './held.js';
export { type Applied, type ApplierCounts, PageApplier, type PageDigest } from './page-applier.js';
export {
  PagePipeline,
  PIPELINE_DEFAULTS,
  type PipelineOptions,
  type PipelineSavings,
} from './page-pipeline.js';
export { PathRate } from './path-rate.js';
export type { Savings } from './savings.js';
export { SparseCodec } from './sparse-codec.js';
export { SAMPLE_EVERY, type Switch, Worth, type WorthOptions } from './worth.js';
