/**
 * The control messages of a migration: their types, limits and the version rule. SPEC.md tells when
 * each is sent; `message-codec.ts` puts them on the wire.
 *
 *   source ──► destination   OFFER PING ARM FINAL FRAME ENDED ABORT ASK RESUME
 *   destination ──► source   ACCEPT REFUSE PONG ROUND_DONE READY STARTED NACK LACKS COMPLETE HASHES ANSWER
 *   both ways                REJECT
 *
 * Names of migrations and of stores of records are 16 random bytes on the wire and 32 hexadecimal digits in
 * memory: they are compared, logged and used as keys far more often than they are sent.
 */
import { NS_PER_S } from '../core/index.js';

/**
 * Version rule. Another *major* is refused with VMOTION_VERSION. Of two *minors* the lower one is spoken:
 * the source offers its own, the destination accepts with the lower of both, and from then on neither
 * sends what the lower one lacks. Unknown fields are skipped; an unknown message is answered by REJECT
 * and otherwise ignored.
 */
export interface ProtocolVersion {
  readonly major: number;
  readonly minor: number;
}

/**
 * Major 2: the page hash of SPEC.md in place of xxHash64. The minors went on.
 * Minor 1: pages that travel encoded (`pipeline/encoding.ts`), and the fields that go with them.
 * Minor 2: an offer says of which shape the machine is whose state will come.
 */
export const PROTOCOL_VERSION: ProtocolVersion = Object.freeze({ major: 2, minor: 2 });
/** The minor version that ENCODED records came with. */
export const ENCODED_MINOR = 1;

/** Bytes of a migration's name and of a store's. */
export const ID_BYTES = 16;

/** Specification limits: a message beyond one of them is refused by every implementation. */
export const MESSAGE_BYTES_MAX = 1 << 20;
export const GUEST_NAME_MAX = 64;
export const STREAMS_MAX = 16;
/** A codec's name, and the list of them in an offer (`pipeline/codec.ts`). */
export const CODEC_NAME_MAX = 16;
export const CODECS_MAX = 64;
/** Pages of a guest: 16 GiB. */
export const PAGES_MAX = 1 << 22;
/** A set of pages in a message: the bitmap of the largest guest and its kind (`page-set-codec.ts`). */
export const PAGE_SET_BYTES_MAX = 1 + PAGES_MAX / 8;
/** Device state in FINAL: the message limit less the largest set of pages and a margin for the other fields. */
export const STATE_BYTES_MAX = MESSAGE_BYTES_MAX - PAGE_SET_BYTES_MAX - 1024;
/** A late frame: a jumbo payload and its Ethernet header. */
export const FRAME_BYTES_MAX = 9216 + 14;
/** Longest name of a machine's shape. */
export const SHAPE_MAX = 128;
/** Page hashes of one HASHES message: 8192 pages. */
export const HASHES_BYTES_MAX = 64 << 10;
export const ROUND_MAX = 0xffff;
export const CODE_MAX = 64;
export const TEXT_MAX = 1024;
/** No instant or duration of a migration is longer than a hundred days (see `core/machine.ts`). */
export const INSTANT_MAX_NS = 100 * 86_400 * NS_PER_S;

/**
 * How the memory moves: all of it before the guest starts at the destination, all of it after, or by rounds until one
 * more no longer pays and the rest after. A destination refuses a mode it does not know with VMOTION_MODE.
 */
export const MIGRATION_MODES = ['pre-copy', 'post-copy', 'hybrid'] as const;
export type MigrationMode = (typeof MIGRATION_MODES)[number];

/** A 64-bit value as two unsigned halves. */
export interface Hash64 {
  readonly lo: number;
  readonly hi: number;
}

/** Instants at the destination, nanoseconds since the lab's epoch. */
export interface StartedTimes {
  /** FINAL was decoded. */
  readonly finalReceivedNs: number;
  /** The final flight lay in memory and FINAL was there: never before `finalReceivedNs`. */
  readonly appliedNs: number;
  /** Memory and state agreed with their digests and the state was loaded. */
  readonly verifiedNs: number;
  /** RUNNING was on record. */
  readonly recordedNs: number;
  /** The guest executed its first instruction. */
  readonly startedNs: number;
}

export interface Offer {
  readonly type: 'offer';
  readonly version: ProtocolVersion;
  /** 32 hexadecimal digits, lower case. */
  readonly migrationId: string;
  readonly guest: string;
  readonly epoch: number;
  readonly mode: string;
  readonly pages: number;
  readonly pageSize: number;
  readonly streams: number;
  /** The source's store of records, 32 hexadecimal digits. */
  readonly storeId: string;
  readonly stateBytesMax: number;
  /** Codecs for pages, the one wanted most first (`codecList`). Since minor 1; empty before. */
  readonly codecs: string;
  /** Which machines the guest's state goes to; empty: any of as much memory. Since minor 2; empty before. */
  readonly shape: string;
}
export interface Accept {
  readonly type: 'accept';
  readonly version: ProtocolVersion;
  /** The destination's store of records: what a later ASK is addressed to. */
  readonly storeId: string;
  /** The mode offered, or pre-copy in place of hybrid where missing pages cannot be caught. */
  readonly mode: MigrationMode;
  /** The codec of the offer that is here too; empty: nothing is compressed. Since minor 1. */
  readonly codec: string;
}
export interface Refuse {
  readonly type: 'refuse';
  readonly code: string;
  readonly text: string;
}
export interface Ping {
  readonly type: 'ping';
  readonly seq: number;
}
export interface Pong {
  readonly type: 'pong';
  readonly seq: number;
}
/** Every stream has ended this round and all of it lies in the destination's memory. */
export interface RoundDone {
  readonly type: 'round-done';
  readonly round: number;
  readonly pages: number;
  /**
   * Pages that came as something the destination does not hold, and are as they were; empty bytes for none, else as
   * `page-set-codec.ts` has it. Since minor 1.
   */
  readonly missed: Uint8Array;
}
/** `round` is the last one before the pause: open the guest's port, park its thread at the start line. */
export interface Arm {
  readonly type: 'arm';
  readonly round: number;
  /** Pages that keep changing: what the destination has of them is stale and may be dropped now (`page-set-codec.ts`). */
  readonly left: Uint8Array;
}
export interface Ready {
  readonly type: 'ready';
}
/** The commitment: the source has recorded COMMIT and will not resume by itself. */
export interface Final {
  readonly type: 'final';
  readonly migrationId: string;
  readonly epoch: number;
  readonly round: number;
  /** Pages of the final flight, over all streams. */
  readonly pages: number;
  readonly state: Uint8Array;
  readonly stateHash: Hash64;
  /** Set-hash over every page of the guest that is not missing, as `set-hash.ts` defines it. */
  readonly setHash: Hash64;
  /** Pages that the destination lacks, or holds in a version that is no longer right (`page-set-codec.ts`). */
  readonly missing: Uint8Array;
}
export interface Started {
  readonly type: 'started';
  readonly migrationId: string;
  readonly epoch: number;
  readonly times: StartedTimes;
}
/** Post-copy: every page is in its place, verified. The source's memory is free. */
export interface Complete {
  readonly type: 'complete';
  readonly migrationId: string;
  readonly epoch: number;
}
/** Over a new connection: what do you lack? Page streams begin anew with `round`. */
export interface Resume {
  readonly type: 'resume';
  readonly migrationId: string;
  readonly epoch: number;
  readonly round: number;
  /** COMMIT is on record: the final flight follows, and FINAL. Else rounds follow, or pages that the guest lacks. */
  readonly final: boolean;
}
/** The answer to RESUME: nothing else is sent again. */
export interface Lacks {
  readonly type: 'lacks';
  readonly migrationId: string;
  /** The round that `missing` counts from: the last one of which anything came; 0 before the first. */
  readonly round: number;
  /** Before the guest starts: pages that did not come in `round`. After: pages that it lacks. */
  readonly missing: Uint8Array;
}
/** The destination has recorded NEVER: it has not started this migration's guest and never will. */
export interface Nack {
  readonly type: 'nack';
  readonly migrationId: string;
  readonly code: string;
  readonly text: string;
}
/** The source gives up before COMMIT: it keeps the guest. */
export interface Abort {
  readonly type: 'abort';
  readonly code: string;
  readonly text: string;
}
/** A unicast frame that reached the source's port after the pause. */
export interface LateFrame {
  readonly type: 'frame';
  readonly bytes: Uint8Array;
}
/** Hashes the destination read back from pages firstPfn…: per page lo u32 LE, hi u32 LE. */
export interface Hashes {
  readonly type: 'hashes';
  readonly firstPfn: number;
  readonly hashes: Uint8Array;
}
/** The source's last word: records of this migration may be forgotten. */
export interface Ended {
  readonly type: 'ended';
  readonly migrationId: string;
}
/** An in-doubt source asks what was decided, naming the store it made the migration with. */
export interface Ask {
  readonly type: 'ask';
  readonly migrationId: string;
  readonly storeId: string;
}
/** `undecided`: the decision is under way, ask again. `unknown`: the records are of another store. */
export type Verdict = 'running' | 'never' | 'undecided' | 'unknown';
export interface Answer {
  readonly type: 'answer';
  readonly migrationId: string;
  readonly verdict: Verdict;
}
/** The coded reply to a message of a later minor version. */
export interface Reject {
  readonly type: 'reject';
  readonly code: string;
  readonly text: string;
}

export type Message =
  | Offer
  | Accept
  | Refuse
  | Ping
  | Pong
  | RoundDone
  | Arm
  | Ready
  | Final
  | Started
  | Complete
  | Resume
  | Lacks
  | Nack
  | Abort
  | LateFrame
  | Hashes
  | Ended
  | Ask
  | Answer
  | Reject;

export type MessageType = Message['type'];
