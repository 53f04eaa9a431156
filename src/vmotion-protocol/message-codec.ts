/**
 * Control messages on the wire: MessagePack maps with text keys, one schema per message. The key
 * `type` names the message, the others are its fields.
 *
 *   ┌────────────────────┬──────────────────────────────┐
 *   │ length u32 BE      │ MessagePack map, `length` B   │   length ≤ 1 MiB
 *   └────────────────────┴──────────────────────────────┘
 *
 * Decoding never throws: the bytes are walked by `msgpack-guard.ts` first, and every field is checked
 * for type, range and length. Bytes in a decoded message are copies, so that the input may be reused.
 */
import { Packr } from 'msgpackr';
import { LonghaulError, PAGE_SIZE } from '../core/index.js';
import type { BadBytes, VmotionErrorCode } from './errors.js';
import {
  CODE_MAX,
  CODEC_NAME_MAX,
  CODECS_MAX,
  FRAME_BYTES_MAX,
  GUEST_NAME_MAX,
  HASHES_BYTES_MAX,
  type Hash64,
  ID_BYTES,
  INSTANT_MAX_NS,
  MESSAGE_BYTES_MAX,
  type Message,
  type MessageType,
  MIGRATION_MODES,
  type MigrationMode,
  PAGE_SET_BYTES_MAX,
  PAGES_MAX,
  type ProtocolVersion,
  ROUND_MAX,
  SHAPE_MAX,
  STATE_BYTES_MAX,
  STREAMS_MAX,
  type StartedTimes,
  TEXT_MAX,
  type Verdict,
} from './messages.js';
import { findMsgpackFault } from './msgpack-guard.js';

/** Bytes of the length field before each message. */
export const LENGTH_BYTES = 4;

export type Decoded = { readonly ok: true; readonly message: Message } | BadBytes;

/** One field: `decode` gives `undefined` for a value that is not allowed. */
interface Field<T> {
  readonly allowed: string;
  encode(value: T): unknown;
  decode(raw: unknown): T | undefined;
  /** What a message without the field says: one of a minor version that did not have it. */
  readonly absent?: T;
}
type Schema<M> = { readonly [K in Exclude<keyof M, 'type'>]: Field<M[K]> };
type Fields = Readonly<Record<string, Field<unknown>>>;

const U32_MAX = 0xffffffff;
const flag: Field<boolean> = {
  allowed: 'true or false',
  encode: (v) => v,
  decode: (raw) => (typeof raw === 'boolean' ? raw : undefined),
};
const round = whole(1, ROUND_MAX);
const pages = whole(0, PAGES_MAX);
const epoch = whole(0, U32_MAX);
const id = hex(ID_BYTES);
const code = shortened(CODE_MAX);
const text = shortened(TEXT_MAX);
const version = record<ProtocolVersion>({ major: whole(0, 255), minor: whole(0, 255) });
const hash64 = record<Hash64>({ lo: whole(0, U32_MAX), hi: whole(0, U32_MAX) });
const pageSet = bytes(1, PAGE_SET_BYTES_MAX);
const instant = whole(0, INSTANT_MAX_NS);
const times = record<StartedTimes>({
  finalReceivedNs: instant,
  appliedNs: instant,
  verifiedNs: instant,
  recordedNs: instant,
  startedNs: instant,
});

const SCHEMAS: { readonly [T in MessageType]: Schema<Extract<Message, { type: T }>> } = {
  offer: {
    version,
    migrationId: id,
    guest: name(GUEST_NAME_MAX),
    epoch,
    mode: name(16),
    pages: whole(1, PAGES_MAX),
    pageSize: whole(PAGE_SIZE, PAGE_SIZE),
    streams: whole(1, STREAMS_MAX),
    storeId: id,
    stateBytesMax: whole(0, STATE_BYTES_MAX),
    codecs: later(name(CODECS_MAX, 0), ''),
    shape: later(name(SHAPE_MAX, 0), ''),
  },
  accept: {
    version,
    storeId: id,
    mode: oneOf<MigrationMode>(...MIGRATION_MODES),
    codec: later(name(CODEC_NAME_MAX, 0), ''),
  },
  refuse: { code, text },
  ping: { seq: whole(0, U32_MAX) },
  pong: { seq: whole(0, U32_MAX) },
  'round-done': { round, pages, missed: later(bytes(0, PAGE_SET_BYTES_MAX), new Uint8Array(0)) },
  arm: { round, left: pageSet },
  ready: {},
  final: {
    migrationId: id,
    epoch,
    round,
    pages,
    state: bytes(0, STATE_BYTES_MAX),
    stateHash: hash64,
    setHash: hash64,
    missing: pageSet,
  },
  started: { migrationId: id, epoch, times },
  complete: { migrationId: id, epoch },
  resume: { migrationId: id, epoch, round, final: flag },
  lacks: { migrationId: id, round: whole(0, ROUND_MAX), missing: pageSet },
  nack: { migrationId: id, code, text },
  abort: { code, text },
  frame: { bytes: bytes(14, FRAME_BYTES_MAX) },
  hashes: { firstPfn: whole(0, PAGES_MAX - 1), hashes: bytes(8, HASHES_BYTES_MAX, 8) },
  ended: { migrationId: id },
  ask: { migrationId: id, storeId: id },
  answer: { migrationId: id, verdict: oneOf<Verdict>('running', 'never', 'undecided', 'unknown') },
  reject: { code, text },
};

const packr = new Packr({ useRecords: false });

/**
 * A message with its length in front, in bytes that the caller owns.
 * `code` and `text` fields longer than their limit are shortened.
 * @throws LonghaulError VMOTION_MESSAGE_LENGTH when it would not fit: a fault of this side
 */
export function encodeMessage(message: Message): Uint8Array {
  const fields = SCHEMAS[message.type] as Fields;
  const map: Record<string, unknown> = { type: message.type };
  for (const key in fields) map[key] = fields[key]!.encode(message[key as keyof Message]);
  const body = packr.pack(map);
  if (body.length > MESSAGE_BYTES_MAX) {
    throw new LonghaulError<VmotionErrorCode>(
      'VMOTION_MESSAGE_LENGTH',
      `a ${message.type} message of ${body.length} bytes is over the limit of ${MESSAGE_BYTES_MAX}`,
    );
  }
  const out = new Uint8Array(LENGTH_BYTES + body.length);
  new DataView(out.buffer).setUint32(0, body.length);
  out.set(body, LENGTH_BYTES);
  return out;
}

/** Decodes the body of one message (without its length). Never throws; the result owns its bytes. */
export function decodeMessage(body: Uint8Array): Decoded {
  const fault = findMsgpackFault(body);
  if (fault >= 0) return bad('VMOTION_MESSAGE_SYNTAX', fault, 'is not a MessagePack map of plain values');
  let map: Record<string, unknown>;
  try {
    map = packr.unpack(body) as Record<string, unknown>;
  } catch (e) {
    return bad('VMOTION_MESSAGE_SYNTAX', 0, String(e));
  }
  const type = map.type;
  if (typeof type !== 'string') return bad('VMOTION_MESSAGE_FIELD', 0, 'type must be text');
  if (!Object.hasOwn(SCHEMAS, type)) {
    return bad('VMOTION_MESSAGE_UNKNOWN', 0, `there is no message ${JSON.stringify(type.slice(0, 32))}`);
  }
  const message = decodeFields(SCHEMAS[type as MessageType] as Fields, map);
  if (typeof message === 'string') return bad('VMOTION_MESSAGE_FIELD', 0, `${type}: ${message}`);
  message.type = type;
  return { ok: true, message: message as unknown as Message };
}

export function bad(code: VmotionErrorCode, at: number, text: string): BadBytes {
  return { ok: false, code, at, text };
}

/** The checked fields, or what is wrong with the first bad one. Unknown keys are skipped (version rule). */
function decodeFields(fields: Fields, map: Record<string, unknown>): Record<string, unknown> | string {
  const out: Record<string, unknown> = {};
  for (const key in fields) {
    const field = fields[key]!;
    const value = Object.hasOwn(map, key) ? field.decode(map[key]) : field.absent;
    if (value === undefined) return `${key} must be ${field.allowed}`;
    out[key] = value;
  }
  return out;
}

function whole(min: number, max: number): Field<number> {
  return {
    allowed: `a whole number in ${min}..${max}`,
    encode: (v) => v,
    decode: (raw) =>
      typeof raw === 'number' && Number.isSafeInteger(raw) && raw >= min && raw <= max ? raw : undefined,
  };
}

/** A field that a later minor version added. */
function later<T>(field: Field<T>, absent: T): Field<T> {
  return { ...field, absent };
}

function name(charsMax: number, charsMin = 1): Field<string> {
  return {
    allowed: `text of ${charsMin}..${charsMax} characters`,
    encode: (v) => v,
    decode: (raw) =>
      typeof raw === 'string' && raw.length >= charsMin && raw.length <= charsMax ? raw : undefined,
  };
}

function shortened(charsMax: number): Field<string> {
  return {
    allowed: `text of at most ${charsMax} characters`,
    encode: (v) => (v.length > charsMax ? `${v.slice(0, charsMax - 1)}…` : v),
    decode: (raw) => (typeof raw === 'string' && raw.length <= charsMax ? raw : undefined),
  };
}

function oneOf<T extends string>(...words: readonly T[]): Field<T> {
  return {
    allowed: words.join(' or '),
    encode: (v) => v,
    decode: (raw) => words.find((w) => w === raw),
  };
}

function bytes(min: number, max: number, multiple = 1): Field<Uint8Array> {
  return {
    allowed: `${min}..${max} bytes${multiple > 1 ? `, a multiple of ${multiple}` : ''}`,
    encode: (v) => Buffer.from(v.buffer, v.byteOffset, v.length),
    // new Uint8Array copies; Buffer.slice would be a view of the input
    decode: (raw) =>
      raw instanceof Uint8Array && raw.length >= min && raw.length <= max && raw.length % multiple === 0
        ? new Uint8Array(raw)
        : undefined,
  };
}

function hex(byteCount: number): Field<string> {
  return {
    allowed: `${byteCount} bytes`,
    encode: (v) => Buffer.from(v, 'hex'),
    decode: (raw) =>
      raw instanceof Uint8Array && raw.length === byteCount ? Buffer.from(raw).toString('hex') : undefined,
  };
}

function record<T extends object>(fields: { readonly [K in keyof T]: Field<T[K]> }): Field<T> {
  const inner = fields as unknown as Fields;
  const keys = Object.keys(inner);
  return {
    allowed: `a map of ${keys.map((k) => `${k}: ${inner[k]!.allowed}`).join(', ')}`,
    encode: (v) => Object.fromEntries(keys.map((k) => [k, inner[k]!.encode(v[k as keyof T])])),
    decode: (raw) => {
      if (typeof raw !== 'object' || raw === null || raw instanceof Uint8Array) return undefined;
      const out = decodeFields(inner, raw as Record<string, unknown>);
      return typeof out === 'string' ? undefined : (out as T);
    },
  };
}
