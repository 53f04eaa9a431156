export type {
  HostOrders,
  HostReport,
  HostRequest,
  MigrationOrders,
  RoundReport,
  SourceReport,
  VmkAttach,
} from './ipc.js';
export { type DurableRecord, decodeRecords, type RecordKind, RecordStore } from './records.js';

/** The file to fork for a host. */
export const HOST_PROCESS = new URL('./host-process.js', import.meta.url);
