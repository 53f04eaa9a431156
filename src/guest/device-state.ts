/**
 * What is not memory: the device and CPU state that travels beside it in the pause.
 *
 *    0 magic 'LHD1'   4 version u16   6 MAC, 6 bytes   12 IPv4 u32   16 time the guest has run, ns f64     24 bytes
 *
 * Network byte order.
 */

const MAGIC = 0x4c484431;
const VERSION = 1;
const VERSION_OFFSET = 4;
const MAC_OFFSET = 6;
const IP_OFFSET = 12;
const RAN_OFFSET = 16;
/** Bytes of the encoded state. */
export const DEVICE_STATE_SIZE = 24;

export interface DeviceState {
  /** The NIC's address, 6 bytes. */
  readonly mac: Uint8Array;
  /** IPv4 address, unsigned 32 bits. */
  readonly ip: number;
  /** Nanoseconds that the guest has run since boot, pauses not counted. */
  readonly ranNs: number;
}

export type DeviceStateResult =
  | { readonly ok: true; readonly state: DeviceState }
  | { readonly ok: false; readonly code: 'GUEST_STATE_INVALID'; readonly at: number };

export function encodeDeviceState(state: DeviceState): Uint8Array {
  const bytes = new Uint8Array(DEVICE_STATE_SIZE);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC);
  view.setUint16(VERSION_OFFSET, VERSION);
  bytes.set(state.mac, MAC_OFFSET);
  view.setUint32(IP_OFFSET, state.ip);
  view.setFloat64(RAN_OFFSET, state.ranNs);
  return bytes;
}

/** Never throws; `at` is the offset of the first field that is not right. */
export function decodeDeviceState(bytes: Uint8Array): DeviceStateResult {
  const bad = (at: number): DeviceStateResult => ({ ok: false, code: 'GUEST_STATE_INVALID', at });
  if (bytes.length !== DEVICE_STATE_SIZE) return bad(Math.min(bytes.length, DEVICE_STATE_SIZE));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint32(0) !== MAGIC) return bad(0);
  if (view.getUint16(VERSION_OFFSET) !== VERSION) return bad(VERSION_OFFSET);
  const ranNs = view.getFloat64(RAN_OFFSET);
  if (!(ranNs >= 0 && ranNs <= Number.MAX_SAFE_INTEGER)) return bad(RAN_OFFSET);
  return {
    ok: true,
    state: { mac: bytes.slice(MAC_OFFSET, MAC_OFFSET + 6), ip: view.getUint32(IP_OFFSET), ranNs },
  };
}
