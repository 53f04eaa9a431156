/** Why a recorded frame went no further: the words of those who decide it, by a number that fits into the ring. */
import { DROP_REASONS, type DropReason } from '../../fiber/index.js';
import { type BridgeDropReason, DROP_HINTS } from '../../l2/index.js';
import type { SendOutcome } from '../../l2/ports/index.js';

/** What the path itself finds: parts of super-frames, and what a NIC's FCS would refuse. */
export type PathDropReason = 'packet-lost' | 'fcs';
export type RecordedReason = BridgeDropReason | DropReason | PathDropReason | Exclude<SendOutcome, 'sent'>;

const PATH_HINTS: Readonly<Record<DropReason | PathDropReason | Exclude<SendOutcome, 'sent'>, string>> = {
  'queue-full': 'it did not fit into the queue at the entry of the fiber',
  'queue-aqm': 'the queue discipline of the fiber dropped it',
  'queue-overrun': 'the queue met the end of memory: figures of this run are void',
  loss: 'the fiber lost it',
  'link-down': 'the link was down',
  'packet-lost': 'one packet of a super-frame, lost in the fiber or cut off by its full queue',
  fcs: 'it was damaged in the fiber and has no checksum but the FCS',
  busy: "its receiver's queue was full",
  'too-long': 'it was too long for the port',
  gone: 'nobody was there to receive it',
};

const HINTS: Readonly<Record<RecordedReason, string>> = { ...DROP_HINTS, ...PATH_HINTS };

/** By number; 0 is no reason. */
const BY_NUMBER: readonly string[] = [
  '',
  ...(Object.keys(DROP_HINTS) as BridgeDropReason[]),
  ...DROP_REASONS,
  'packet-lost',
  'fcs',
  'busy',
  'too-long',
  'gone',
];
const NUMBERS: ReadonlyMap<string, number> = new Map(BY_NUMBER.map((word, number) => [word, number]));

/** 0 for null. */
export function numberOfReason(reason: RecordedReason | null): number {
  return reason === null ? 0 : NUMBERS.get(reason)!;
}

/** Null for 0. */
export function reasonOfNumber(number: number): RecordedReason | null {
  return number === 0 ? null : (BY_NUMBER[number] as RecordedReason);
}

/** The comment of a packet that was dropped. */
export function dropComment(reason: RecordedReason): string {
  return `dropped: ${reason}; ${HINTS[reason]}`;
}
