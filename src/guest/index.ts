export { type DeviceState, decodeDeviceState, encodeDeviceState } from './device-state.js';
export { DirtyModel, type DirtyModelName, type DirtyOptions, dirtyPage } from './dirty-model.js';
export { EchoLedger, type Verdict } from './echo-ledger.js';
export type { GuestErrorCode } from './errors.js';
export { type FillKind, fillKindOf, fillMemory, fillPage } from './fill.js';
export type { DirtyLog, FrameOrigin, GuestMemory, NetStack, UdpHandler } from './guest.js';
export {
  dirtyRange,
  GuestHeader,
  type GuestLayout,
  layoutOf,
  PAGE_WORDS,
  slotPagesOf,
  wordsOf,
} from './layout.js';
export { checkMachineState, packMachineState, unpackMachineState } from './machine-state.js';
export { IMAGE_BYTES_MAX, type ImageVerdict, judgeImage } from './multiboot.js';
export { Service } from './service.js';
export { ServiceLedger } from './service-ledger.js';
export { REQUEST_SIZE, RESPONSE_SIZE, RequestMessage, SERVICE_PORT } from './service-wire.js';
export { type Phase, SessionBook, type SessionSnapshot } from './session-stats.js';
export { CounterLedger, StreamEchoLedger } from './stream-ledger.js';
