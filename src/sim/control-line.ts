/**
 * Control messages over a link: real bytes through the real codec, and the two words that open a line again.
 *
 *   hello (whose migration) ─►                 a new connection for a migration that is under way
 *                           ◄─ welcome         the other side has taken it
 */
import { decodeMessage, encodeMessage, LENGTH_BYTES, type Message } from '../vmotion-protocol/index.js';
import type { Link } from './link.js';

export interface Hello {
  readonly type: 'hello';
  readonly migrationId: string;
}

export type ControlItem =
  | Hello
  | { readonly type: 'welcome' }
  | { readonly type: 'message'; readonly bytes: Uint8Array };

const WORD_BYTES = 32;

export function sendMessage(link: Link, message: Message): void {
  const bytes = encodeMessage(message);
  link.send(bytes.length, { type: 'message', bytes } satisfies ControlItem);
}

export function sendWord(link: Link, word: Exclude<ControlItem, { type: 'message' }>): void {
  link.send(WORD_BYTES, word);
}

/** @throws when the codec refuses what it has encoded itself: that is a fault of ours and no input */
export function messageIn(bytes: Uint8Array): Message {
  const decoded = decodeMessage(bytes.subarray(LENGTH_BYTES));
  if (!decoded.ok) throw new Error(`the codec refuses its own message: ${decoded.code} ${decoded.text}`);
  return decoded.message;
}
