/** QEMU as a peer: found, started, driven over QMP. It knows nothing of fabric, hosts or experiments. */
export {
  ACCELERATORS,
  type Accelerator,
  type QemuBegin,
  type QemuMachine,
  qemuArguments,
} from './command-line.js';
export type { QemuErrorCode } from './errors.js';
export { compareBytes, type MemoryComparison } from './memory-comparison.js';
export {
  migrateQemu,
  prepareMigration,
  QEMU_MODES,
  type QemuMigrationOptions,
  type QemuMigrationReport,
  type QemuMode,
} from './migration.js';
export { type MigrationFigures, migrationFigures, type RamFigures } from './migration-figures.js';
export { findQemu, type QemuProgram } from './program.js';
export { QemuProcess, type QemuStart } from './qemu-process.js';
export { QmpClient } from './qmp-client.js';
export { decodeQmp, type QmpEvent, type QmpMessage } from './qmp-messages.js';
