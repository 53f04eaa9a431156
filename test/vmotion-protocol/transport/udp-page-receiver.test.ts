/** Where a UDP receiver puts pages, without a socket: datagrams are written and read here. */
import * as assert from 'uvu/assert';
import { PAGE_SIZE } from '../../../src/core/index.js';
import type { PageInbox } from '../../../src/vmotion-protocol/index.js';
import { newRegion, type UdpLink, UdpPageReceiver } from '../../../src/vmotion-protocol/transport/index.js';
import {
  ENCODING_RAW,
  PACKET_HEADER_BYTES,
  PAGE_FRAME_BYTES,
  PacketReader,
  writePacketHeader,
  writePageFrame,
} from '../../../src/vmotion-protocol/udp/packet-codec.js';
import { suite } from '../../suite.js';

const test = suite('vmotion-protocol/transport/udp-page-receiver');
const PAGES = 8;

class Receiving {
  readonly memory = newRegion(PAGES * PAGE_SIZE);
  readonly hashed: number[] = [];
  readonly receiver: UdpPageReceiver;
  inbox: PageInbox | null = null;

  constructor() {
    const content = {
      hash: (pfn: number): boolean => {
        this.hashed.push(pfn);
        return false;
      },
      hashStaged: () => true,
      hashZero: () => {},
    };
    const events = { onRoundApplied: () => {}, onViolation: () => {} };
    const link = {
      receivePages: (inbox: PageInbox) => {
        this.inbox = inbox;
      },
    } as unknown as UdpLink;
    this.receiver = new UdpPageReceiver(this.memory, PAGES, content, events, link);
    this.receiver.begin();
  }

  /** A part of a page, all of whose bytes are `value`. */
  part(pfn: number, version: number, offset: number, length: number, value: number): void {
    const bytes = new Uint8Array(PACKET_HEADER_BYTES + PAGE_FRAME_BYTES + length);
    const view = new DataView(bytes.buffer);
    writePacketHeader(view, 0, 0, 1, 0, 1);
    writePageFrame(view, PACKET_HEADER_BYTES, ENCODING_RAW, pfn, version, offset, length, PAGE_SIZE);
    bytes.fill(value, PACKET_HEADER_BYTES + PAGE_FRAME_BYTES);
    const reader = new PacketReader();
    assert.ok(reader.open(view, 0, bytes.length));
    reader.next();
    assert.ok(this.inbox!.fragment(1, reader, bytes));
  }

  holds(pfn: number): number[] {
    return [...new Set(this.memory.bytes.subarray(pfn * PAGE_SIZE, (pfn + 1) * PAGE_SIZE))];
  }

  lacks(): number[] {
    const missing = this.receiver.notCome();
    return Array.from({ length: PAGES }, (_, pfn) => pfn).filter((pfn) => missing.has(pfn));
  }
}

test('a page that came whole is one version, whatever came of others', () => {
  const r = new Receiving();
  r.part(3, 1, 0, 2048, 1);
  r.part(3, 2, 2048, 2048, 2);
  r.part(3, 1, 2048, 2048, 1); // late: version 1 is over
  r.part(3, 2, 0, 2048, 2);
  assert.equal(r.holds(3), [2]);
  assert.equal(r.hashed, [3]);
  assert.equal(r.lacks(), [0, 1, 2, 4, 5, 6, 7]);
});

test('a page was torn by a newer version when the link broke, and was not sent again', () => {
  const r = new Receiving();
  for (const pfn of [2, 5]) r.part(pfn, pfn, 0, PAGE_SIZE, 1);
  assert.equal(r.lacks(), [0, 1, 3, 4, 6, 7]);
  r.part(5, 9, 1024, 1024, 7);
  r.receiver.takeUp(1, false);
  assert.equal(r.lacks(), [0, 1, 3, 4, 5, 6, 7]);
});

test.run();
