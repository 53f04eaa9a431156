export { Fabric, type FabricOptions } from './fabric.js';
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
export { describeRecording, type RecordingOptions, type RecordingReport } from './recording/options.js';
