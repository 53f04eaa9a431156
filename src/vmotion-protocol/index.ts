/** The migration protocol: messages, page streams, both machines. No sockets, no clock. SPEC.md has the whole. */
export * from './convergence.js';
export { Destination } from './destination.js';
export * from './destination-contract.js';
export type { BadBytes, VmotionErrorCode } from './errors.js';
export * from './late-frames.js';
export { type Decoded, decodeMessage, encodeMessage, LENGTH_BYTES } from './message-codec.js';
export { MessageReader } from './message-reader.js';
export * from './messages.js';
export * from './page-stream.js';
export * from './pause-parts.js';
export { ReliableStream, type ReliableStreamOptions, type StreamState } from './reliable-stream.js';
export * from './resolve.js';
export { SetHash } from './set-hash.js';
export { Source } from './source.js';
export * from './source-contract.js';
export type { TimelineEvent } from './timeline.js';
