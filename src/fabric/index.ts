export { Fabric, type FabricOptions } from './fabric.js';
export { MAX_SERIALISATION_NS } from './frame-path.js';
export type {
  DuplicateMacFound,
  FabricSettings,
  FabricSnapshot,
  Lateness,
  MacSeen,
  PortCounters,
  PortRole,
  PortSpec,
  SiteName,
  SpinMode,
  WriteDuration,
} from './messages.js';
export type { RecordingOptions } from './recording/options.js';
