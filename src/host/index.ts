export { type ControlHandlers, serveControl } from './control-socket.js';
export {
  type FoundGuest,
  type FoundHost,
  findHosts,
  guestsOf,
  type RecordedState,
  runDirectories,
} from './host-directory.js';
export { hostFilesOf } from './host-files.js';
export type { HostStatus } from './host-status.js';
export type {
  GuestOrders,
  HostOrders,
  HostReport,
  HostRequest,
  MigrationOrders,
  PipelineReport,
  RoundReport,
  ServedPages,
  SourceReport,
  TransportOrders,
  VmkAttach,
} from './ipc.js';
export { type KeyFile, notePeerStore, readKeyFile, writeKeyFile } from './key-file.js';
export { canCatchFaults, type MissingFigures } from './missing-memory.js';
export { type OperatorWord, readWords } from './operator-words.js';
export {
  type Durability,
  type DurableRecord,
  decodeRecords,
  type RecordKind,
  RecordStore,
} from './records.js';
export { type Resolution, type ResolveHow, resolveDoubt } from './resolve-doubt.js';
export { CIPHER_NAME, INSECURE_WARNING, newRunKey } from './run-key.js';
export { bareSourceReport } from './source-report.js';
export { readImage } from './start-guest.js';

/** The file to fork for a host. */
export const HOST_PROCESS = new URL('./host-process.js', import.meta.url);
