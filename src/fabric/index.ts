export { Fabric, type FabricOptions } from './fabric.js';
export type {
  FabricSettings,
  FabricSnapshot,
  Lateness,
  PortCounters,
  PortRole,
  PortSpec,
  SiteName,
  SpinMode,
} from './messages.js';
