/** One message of each type, as large as they usually are. */
import type { Message } from '../../src/vmotion-protocol/index.js';

const id = '0123456789abcdef0123456789abcdef';
const hash = { lo: 0x12345678, hi: 0x9abcdef0 };
const set = new Uint8Array(24).fill(7);
const version = { major: 1, minor: 1 };

type OfType = { readonly [T in Message['type']]: Extract<Message, { readonly type: T }> };

const BY_TYPE: OfType = {
  offer: {
    type: 'offer',
    version,
    migrationId: id,
    guest: 'guest',
    epoch: 3,
    mode: 'hybrid',
    pages: 65_536,
    pageSize: 4096,
    streams: 1,
    storeId: id,
    stateBytesMax: 65_536,
    codecs: 'lz4,zstd',
    shape: '',
  },
  accept: { type: 'accept', version, storeId: id, mode: 'hybrid', codec: 'lz4' },
  refuse: { type: 'refuse', code: 'VMOTION_VERSION', text: 'major 2 is not spoken here' },
  ping: { type: 'ping', seq: 7 },
  pong: { type: 'pong', seq: 7 },
  'round-done': { type: 'round-done', round: 3, pages: 12_800, missed: new Uint8Array(0) },
  arm: { type: 'arm', round: 9, left: set },
  ready: { type: 'ready' },
  final: {
    type: 'final',
    migrationId: id,
    epoch: 3,
    round: 10,
    pages: 40,
    state: new Uint8Array(300).fill(3),
    stateHash: hash,
    setHash: hash,
    missing: set,
  },
  started: {
    type: 'started',
    migrationId: id,
    epoch: 3,
    times: { finalReceivedNs: 1e9, appliedNs: 1.1e9, verifiedNs: 1.2e9, recordedNs: 1.3e9, startedNs: 1.4e9 },
  },
  complete: { type: 'complete', migrationId: id, epoch: 3 },
  resume: { type: 'resume', migrationId: id, epoch: 3, round: 4, final: false },
  lacks: { type: 'lacks', migrationId: id, round: 4, missing: set },
  nack: { type: 'nack', migrationId: id, code: 'VMOTION_DIGEST', text: 'memory differs' },
  abort: { type: 'abort', code: 'VMOTION_LIMIT', text: 'pre-copy took too long' },
  frame: { type: 'frame', bytes: new Uint8Array(98).fill(1) },
  hashes: { type: 'hashes', firstPfn: 4096, hashes: new Uint8Array(2048).fill(9) },
  ended: { type: 'ended', migrationId: id },
  ask: { type: 'ask', migrationId: id, storeId: id },
  answer: { type: 'answer', migrationId: id, verdict: 'running' },
  reject: { type: 'reject', code: 'VMOTION_MESSAGE_UNKNOWN', text: 'there is no message "warp"' },
};

export const MESSAGES: readonly Message[] = Object.values(BY_TYPE);
