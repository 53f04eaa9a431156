/** What somebody on the segment who does not hold the run key can do to a move: nothing that a broken fiber could not. */
import * as assert from 'uvu/assert';
import { messageOf } from '../../src/core/index.js';
import { closeFd, createNetns } from '../../src/sys/index.js';
import { encodeMessage, type Message, PROTOCOL_VERSION } from '../../src/vmotion-protocol/index.js';
import { encodePreamble } from '../../src/vmotion-protocol/transport/index.js';
import { suite } from '../suite.js';
import { type Site, TwoHosts } from './two-hosts.js';

const test = suite('host/third-party');
const ID = 'ab'.repeat(16);

function netnsLack(): string | null {
  try {
    closeFd(createNetns());
    return null;
  } catch (e) {
    return `no network namespaces here: ${messageOf(e)}`;
  }
}

const lack = netnsLack();

async function between(body: (hosts: TwoHosts) => Promise<void>): Promise<void> {
  const hosts = new TwoHosts();
  try {
    await hosts.begin();
    await body(hosts);
  } finally {
    await hosts.end();
  }
}

/** A control link as a host without security would open it, with this message on it. */
function inClear(message: Message): Uint8Array {
  const preamble = encodePreamble({
    kind: 'control',
    stream: 0,
    attempt: 0,
    migrationId: Buffer.from(ID, 'hex'),
  });
  return Buffer.concat([preamble, encodeMessage(message)]);
}

const OFFER: Message = {
  type: 'offer',
  version: PROTOCOL_VERSION,
  migrationId: ID,
  guest: 'guest',
  epoch: 1000,
  mode: 'pre-copy',
  pages: 256,
  pageSize: 4096,
  streams: 1,
  storeId: 'cd'.repeat(16),
  stateBytesMax: 4096,
  codecs: '',
  shape: '',
};
const NACK: Message = { type: 'nack', migrationId: ID, code: 'VMOTION_FINAL_MISMATCH', text: 'never' };
const TIMES = { finalReceivedNs: 1, appliedNs: 2, verifiedNs: 3, recordedNs: 4, startedNs: 5 };
const STARTED: Message = { type: 'started', migrationId: ID, epoch: 1, times: TIMES };

test.when(
  lack,
  'preambles, offers, answers and recorded links of a third party: the move completes, all is counted',
  () =>
    between(async (hosts) => {
      const recorded: Buffer[][] = [[], []];
      hosts.tamper = (chunk, { connection, there }) => {
        if (there) recorded[connection]?.push(Buffer.from(chunk));
        return null;
      };
      const moving = hosts.move('a');
      const answers = (['a', 'b'] as const).flatMap((site) =>
        [inClear(OFFER), inClear(NACK), inClear(STARTED), new Uint8Array(600).fill(0x16)].map((bytes) =>
          hosts.knock(site, bytes),
        ),
      );
      const report = await moving;
      assert.is(report.outcome, 'completed', report.text);
      assert.is(report.memoryIdentical, true);
      assert.equal([hosts.records('a'), hosts.records('b')], [['COMMIT', 'ENDED'], ['RUNNING']]);
      // Whole links of that move, byte by byte: its control link, then its page link.
      hosts.tamper = () => null;
      assert.ok(recorded.every((chunks) => chunks.length > 0));
      const again = recorded.map((chunks) => hosts.knock('b', Buffer.concat(chunks)));
      const back = await hosts.move('b');
      assert.is(back.outcome, 'completed', back.text);
      assert.equal([hosts.records('b'), hosts.records('a')], [['COMMIT', 'ENDED'], ['RUNNING']]);
      assert.is(
        [...answers, ...again].reduce((sum, { heard }) => sum + heard, 0),
        0,
        'not a byte is said to a stranger',
      );
      const [a, b] = [await hosts.refused('a'), await hosts.refused('b')];
      assert.ok(a.VMOTION_GREETING! >= 4 && b.VMOTION_GREETING! >= 4, JSON.stringify([a, b]));
      // The control link began a session; the page link joined one that is gone, under a name that nobody knows.
      assert.is(b.VMOTION_GREETING_REPLAYED, 1, JSON.stringify(b));
      assert.is(b.VMOTION_GREETING_KEY, 1, JSON.stringify(b));
    }),
);

/** Where a bit is flipped: on which link of the move, which way, at which of its bytes. */
const FLIPS: readonly [link: number, there: boolean, byte: number, where: string][] = [
  [0, true, 20, 'in the greeting'],
  [0, true, 300, 'in the handshake'],
  [0, false, 60, 'in the answer to the handshake'],
  [0, true, 500, 'in the offer'],
  [0, false, 580, 'in the acceptance'],
  [1, true, 100, 'in a page record'],
];

test.when(
  lack,
  'a bit flipped on any link, either way: the guest runs at one host, memory is what it was',
  () =>
    between(async (hosts) => {
      let at: Site = 'a';
      for (const [link, there, byte, where] of FLIPS) {
        let flipped = false;
        // On a slow machine a handshake may end by its timer, and the byte in question never leave.
        for (let tries = 0; tries < 3 && !flipped; tries++) {
          const first = hosts.connections;
          hosts.tamper = (chunk, on) => {
            const offset = byte - on.passed;
            if (on.connection - first !== link || on.there !== there || flipped) return null;
            if (offset < 0 || offset >= chunk.length) return null;
            chunk[offset] = chunk[offset]! ^ 0x10;
            flipped = true;
            return null;
          };
          const report = await hosts.move(at);
          const other: Site = at === 'a' ? 'b' : 'a';
          if (report.outcome === 'completed') {
            assert.is(report.memoryIdentical, true, where);
            at = other;
          } else {
            assert.is(report.outcome, 'aborted', `${where}: ${report.text}`);
            assert.not.ok(hosts.records(other).includes('RUNNING'), where);
            assert.not.ok(hosts.records(at).includes('COMMIT'), where);
          }
        }
        assert.ok(flipped, where);
      }
      hosts.tamper = () => null;
      const report = await hosts.move(at);
      assert.is(report.outcome, 'completed', report.text);
      assert.is(report.memoryIdentical, true);
      const refused = [await hosts.refused('a'), await hosts.refused('b')];
      const sum = (code: string): number => refused.reduce((n, counts) => n + (counts[code] ?? 0), 0);
      assert.ok(sum('VMOTION_GREETING_KEY') >= 1, JSON.stringify(refused));
      assert.ok(sum('VMOTION_HANDSHAKE') >= 1, JSON.stringify(refused));
      assert.ok(sum('VMOTION_RECORD_FORGED') + sum('VMOTION_RECORD') >= 2, JSON.stringify(refused));
    }),
);

test.when(
  lack,
  'FINAL changed on its way: the destination never starts, the source does not resume on nobody’s word',
  () =>
    between(async (hosts) => {
      hosts.tamper = (chunk, { opener, there }) => {
        if (opener === 'a' && there && hosts.records('a').includes('COMMIT'))
          chunk[chunk.length - 1] = chunk[chunk.length - 1]! ^ 1;
        return null;
      };
      const report = await hosts.move('a');
      assert.equal(hosts.records('b'), [], 'it waits for a source that can be believed');
      assert.is(report.outcome, 'in-doubt', 'no word comes through, so the guest stands');
      assert.equal(hosts.records('a'), ['COMMIT']);
      assert.ok((await hosts.refused('b')).VMOTION_RECORD_FORGED! >= 1);
    }),
);

test.when(lack, 'a NACK forged behind FINAL: the source does not resume beside the copy that runs', () =>
  between(async (hosts) => {
    let forged = 0;
    hosts.tamper = (chunk, { connection, there }) => {
      // In place of whatever the destination answers, once it runs the guest.
      if (connection !== 0 || there || !hosts.records('b').includes('RUNNING')) return null;
      forged++;
      return Buffer.concat([encodeMessage(NACK), chunk.subarray(0, 0)]);
    };
    const report = await hosts.move('a');
    assert.ok(forged > 0);
    assert.equal(hosts.records('b'), ['RUNNING']);
    assert.is.not(report.outcome, 'aborted', 'a forged word is no word');
    assert.ok((await hosts.refused('a')).VMOTION_RECORD! >= 1);
  }),
);

test.run();
