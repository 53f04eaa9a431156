import * as assert from 'uvu/assert';
import { ConfigError, PageSet, WOKE } from '../../src/core/index.js';
import {
  DESTINATION_TIMERS,
  Destination,
  type DestinationAction,
  type DestinationEvent,
  type DestinationOptions,
  decodePageSet,
  encodePageSet,
  type Message,
  type Offer,
} from '../../src/vmotion-protocol/index.js';
import { suite } from '../suite.js';
import { frameOf, Script } from './script.js';

const test = suite('vmotion-protocol/destination');
const MS = 1_000_000;
const ID = '0123456789abcdef0123456789abcdef';
const STORE_B = 'bb'.repeat(16);
const PAGES = 100;

const make = (over: Partial<DestinationOptions> = {}) =>
  new Script<DestinationEvent, DestinationAction>(
    new Destination({ guest: 'web-1', pages: PAGES, storeId: STORE_B, ...over }),
  );
type S = ReturnType<typeof make>;
const got = (message: Message): DestinationEvent => ({ type: 'received', message });
const offer = (over: Partial<Offer> = {}): DestinationEvent =>
  got({
    type: 'offer',
    codecs: '',
    shape: '',
    version: { major: 2, minor: 0 },
    migrationId: ID,
    guest: 'web-1',
    epoch: 3,
    mode: 'pre-copy',
    pages: PAGES,
    pageSize: 4096,
    streams: 2,
    storeId: 'aa'.repeat(16),
    stateBytesMax: 1000,
    ...over,
  });
const applied = (round: number, pages: number): DestinationEvent => ({ type: 'round-applied', round, pages });
/** An empty set of pages on the wire. */
const NONE = Uint8Array.of(1);
const final = (over: Partial<Extract<Message, { type: 'final' }>> = {}) =>
  got({
    type: 'final',
    migrationId: ID,
    epoch: 3,
    round: 3,
    pages: 1,
    state: Uint8Array.of(1),
    stateHash: { lo: 5, hi: 6 },
    setHash: { lo: 1, hi: 2 },
    missing: NONE,
    ...over,
  });
const LOST: DestinationEvent = { type: 'connection-lost', text: 'cut' };
const ABORT = got({ type: 'abort', code: 'VMOTION_CANCELLED', text: '' });
const OK: DestinationEvent = { type: 'verified', ok: true, text: '' };
const RUNNING: DestinationEvent = { type: 'recorded', record: 'RUNNING' };
const NEVER: DestinationEvent = { type: 'recorded', record: 'NEVER' };
const GUEST_STARTED: DestinationEvent = { type: 'guest-started', atNs: 60 * MS };
const frame = (n: number, group = false) => got({ type: 'frame', bytes: frameOf(n, group) });
const nic = (n: number, group = false): DestinationEvent => ({ type: 'nic-frame', bytes: frameOf(n, group) });

function toReceiving(s: S): S {
  s.at(0).give(offer()).expect('prepare').wakesAt(DESTINATION_TIMERS.prepareNs);
  return s
    .at(MS)
    .give({ type: 'prepared' })
    .expect('send accept')
    .wakesAt(MS + DESTINATION_TIMERS.precopyNs);
}

function toReady(s: S): S {
  toReceiving(s);
  s.at(2 * MS)
    .give(got({ type: 'ping', seq: 9 }))
    .expect('send pong');
  s.at(30 * MS)
    .give(applied(1, 100))
    .expect('send round-done');
  s.at(31 * MS)
    .give(got({ type: 'arm', round: 2, left: NONE }))
    .expect('arm');
  s.at(32 * MS)
    .give({ type: 'armed' })
    .expect('send ready')
    .wakesAt(32 * MS + DESTINATION_TIMERS.finalNs);
  return s
    .at(33 * MS)
    .give(applied(2, 3))
    .expect('send round-done');
}

function toVerifying(s: S): S {
  toReady(s)
    .at(50 * MS)
    .give(applied(3, 1))
    .expect();
  return s
    .at(51 * MS)
    .give(final())
    .expect('verify');
}

function toRunning(s: S): S {
  toVerifying(s)
    .at(52 * MS)
    .give(OK)
    .expect('load-state');
  s.at(53 * MS)
    .give({ type: 'state-loaded' })
    .expect('record RUNNING');
  s.at(54 * MS)
    .give(RUNNING)
    .expect('start-guest');
  return s
    .at(60 * MS)
    .give(GUEST_STARTED)
    .expect('announce', 'send started', 'send-hashes');
}

const BACK: DestinationEvent = { type: 'reconnected' };
const resume = (round: number, final: boolean) =>
  got({ type: 'resume', migrationId: ID, epoch: 3, round, final });

test('the good path, message by message, and nothing more', () => {
  const s = toRunning(make());
  assert.equal(s.sent('started'), {
    type: 'started',
    migrationId: ID,
    epoch: 3,
    times: {
      finalReceivedNs: 51 * MS,
      appliedNs: 51 * MS,
      verifiedNs: 53 * MS,
      recordedNs: 54 * MS,
      startedNs: 60 * MS,
    },
  });
  s.at(70 * MS)
    .give(got({ type: 'ended', migrationId: ID }))
    .expect('forget-records', 'finished running VMOTION_OK');
  for (const e of [LOST, ABORT, final(), { type: 'cancel', text: '' } as const]) s.give(e).expect();
});

test('FINAL and its pages may come in either order; the later one counts as applied', () => {
  const s = toReady(make())
    .at(50 * MS)
    .give(final())
    .expect();
  s.at(51 * MS)
    .give(applied(3, 1))
    .expect('verify');
  s.at(52 * MS)
    .give(OK)
    .give({ type: 'state-loaded' })
    .give(RUNNING)
    .give(GUEST_STARTED);
  const { times } = s.sent('started');
  assert.equal([times.finalReceivedNs, times.appliedNs], [50 * MS, 51 * MS]);
});

test('an offer is refused with the reason: version, mode, place, limits, epoch, name', () => {
  const refused = (e: DestinationEvent, code: string, over: Partial<DestinationOptions> = {}) =>
    make(over).give(e).expect(`send refuse ${code}`, `finished refused ${code}`).wakesAt(Infinity);
  refused(offer({ version: { major: 1, minor: 2 } }), 'VMOTION_VERSION');
  refused(offer({ mode: 'mid-copy' }), 'VMOTION_MODE');
  refused(offer({ mode: 'post-copy' }), 'VMOTION_MODE', { catchesFaults: false });
  refused(offer({ guest: 'web-2' }), 'VMOTION_LIMIT');
  refused(offer({ pages: 99 }), 'VMOTION_LIMIT');
  refused(offer({ streams: 3 }), 'VMOTION_LIMIT', { streamsMax: 2 });
  refused(offer({ stateBytesMax: 1000 }), 'VMOTION_LIMIT', { stateBytesMax: 999 });
  refused(offer(), 'VMOTION_EPOCH_STALE', { epochOf: () => 3 });
  refused(offer(), 'VMOTION_MIGRATION_KNOWN', { decisionOf: () => 'NEVER' });
  make({ epochOf: () => 2, decisionOf: () => null })
    .give(offer())
    .expect('prepare');
  const s = make()
    .give(offer())
    .give({ type: 'prepare-failed', code: 'VMOTION_PREPARE_FAILED', text: 'no memory' });
  s.expect('send refuse VMOTION_PREPARE_FAILED', 'finished refused VMOTION_PREPARE_FAILED');
});

test('an offer to a host that runs the guest wiped the running memory: what was not prepared is not discarded', () => {
  make()
    .give(offer())
    .expect('prepare')
    .give({ type: 'prepare-failed', code: 'VMOTION_BUSY', text: 'guest web-1 runs here already' })
    .expect('send refuse VMOTION_BUSY', 'finished refused VMOTION_BUSY');
});

test('of two minor versions the lower one is spoken', () => {
  const s = make()
    .give(offer({ version: { major: 2, minor: 7 } }))
    .give({ type: 'prepared' });
  assert.equal(s.sent('accept').version, { major: 2, minor: 2 });
  const older = make().give(offer()).give({ type: 'prepared' });
  assert.equal(older.sent('accept').version, { major: 2, minor: 0 });
});

test('before FINAL is whole every trouble ends in NEVER on record, and only then in a NACK', () => {
  const cases: [DestinationEvent, string, boolean][] = [
    [{ type: 'cancel', text: '' }, 'VMOTION_CANCELLED', true],
    [{ type: 'violation', code: 'VMOTION_PAGE_MAGIC', text: '' }, 'VMOTION_PAGE_MAGIC', true],
    [got({ type: 'ready' }), 'VMOTION_MESSAGE_UNEXPECTED', true],
    [applied(7, 1), 'VMOTION_PAGE_ROUND', true],
  ];
  for (const [event, code, told] of cases) {
    const nack = told ? [`send nack ${code}`] : [];
    for (const reach of [toReceiving, toReady]) {
      reach(make())
        .give(event)
        .expect('record NEVER')
        .wakesAt(Infinity)
        .give(NEVER)
        .expect(...nack, 'discard', `finished aborted ${code}`);
    }
    const s = toReady(make()).give(final()).expect().give(event).expect('record NEVER');
    s.give(NEVER).expect(...nack, 'discard', `finished never ${code}`);
  }
});

test('an abort of the source needs no NACK, and nobody will ask for its record', () => {
  const s = toReady(make()).give(ABORT).expect('record NEVER');
  s.give(NEVER).expect('discard', 'forget-records', 'finished aborted VMOTION_CANCELLED');
  make().give(offer()).give(ABORT).expect('discard', 'finished aborted VMOTION_CANCELLED');
  make().give(ABORT).expect('finished aborted VMOTION_CANCELLED');
});

test('memory or state that differ: NEVER, NACK, discard; the guest does not start', () => {
  const s = toVerifying(make())
    .give({ type: 'verified', ok: false, text: 'memory differs' })
    .expect('record NEVER');
  s.give(NEVER).expect('send nack VMOTION_VERIFY_FAILED', 'discard', 'finished never VMOTION_VERIFY_FAILED');
  s.give(RUNNING).expect().give(GUEST_STARTED).expect().give(OK).expect();
  const t = toVerifying(make())
    .give(OK)
    .give({ type: 'state-refused', text: 'version 9' })
    .expect('record NEVER');
  t.give(NEVER).expect('send nack VMOTION_STATE_REFUSED', 'discard', 'finished never VMOTION_STATE_REFUSED');
});

test('a FINAL that does not belong here is answered by NACK', () => {
  const wrong = (e: DestinationEvent) => {
    const s = toReady(make()).give(applied(3, 1)).give(e).expect('record NEVER').give(NEVER);
    s.expect('send nack VMOTION_FINAL_MISMATCH', 'discard', 'finished never VMOTION_FINAL_MISMATCH');
    assert.is(s.sent('nack').migrationId, ID);
  };
  wrong(final({ migrationId: 'ff'.repeat(16) }));
  wrong(final({ epoch: 4 }));
  wrong(final({ round: 4 }));
  wrong(final({ pages: 2 }));
  wrong(final({ state: new Uint8Array(1001) }));
  toReceiving(make()).give(final()).expect('record NEVER');
});

test('a FINAL after NEVER is answered by NACK again, each time', () => {
  const s = toReady(make()).give({ type: 'cancel', text: '' }).expect('record NEVER');
  s.give(final()).expect();
  s.give(NEVER).expect('send nack VMOTION_CANCELLED', 'discard', 'finished aborted VMOTION_CANCELLED');
  s.give(final()).expect('send nack VMOTION_CANCELLED').give(final()).expect('send nack VMOTION_CANCELLED');
  s.give(applied(3, 1)).expect();
  s.give(got({ type: 'ended', migrationId: ID })).expect('forget-records');
});

test('once FINAL is whole the destination decides alone: a lost connection does not stop it', () => {
  const s = toVerifying(make()).give(LOST).expect();
  s.give(OK)
    .expect('load-state')
    .give({ type: 'state-loaded' })
    .expect('record RUNNING')
    .give(RUNNING)
    .expect('start-guest');
  s.give(GUEST_STARTED).expect('announce');
  // Nobody was told yet: the source will ask.
  s.give(BACK)
    .give(got({ type: 'ask', migrationId: ID, storeId: STORE_B }))
    .expect('send started');
  s.give(resume(4, true)).expect('send complete', 'send-hashes');
  const t = toVerifying(make())
    .give(LOST)
    .give({ type: 'verified', ok: false, text: '' })
    .expect('record NEVER');
  t.give(NEVER).expect('discard', 'finished never VMOTION_VERIFY_FAILED');
});

test('while RUNNING is being written nothing may turn the decision', () => {
  const s = toVerifying(make())
    .give(OK)
    .give({ type: 'state-loaded' })
    .expect('record RUNNING')
    .wakesAt(Infinity);
  for (const e of [ABORT, LOST, { type: 'cancel', text: '' } as const, WOKE, NEVER]) s.give(e).expect();
  s.give(RUNNING).expect('start-guest');
});

test('RUNNING that cannot be recorded becomes NEVER; if that fails too, nobody is told anything', () => {
  const s = toVerifying(make()).give(OK).give({ type: 'state-loaded' });
  s.give({ type: 'record-failed', record: 'RUNNING', text: 'disk full' }).expect('record NEVER');
  const t = toVerifying(make()).give(OK).give({ type: 'state-loaded' });
  t.give({ type: 'record-failed', record: 'RUNNING', text: 'disk full' }).expect('record NEVER');
  s.give(NEVER).expect('send nack VMOTION_RECORD_FAILED', 'discard', 'finished never VMOTION_RECORD_FAILED');
  t.give({ type: 'record-failed', record: 'NEVER', text: 'disk full' }).expect(
    'discard',
    'finished never VMOTION_RECORD_FAILED',
  );
  t.give(final()).expect();
});

test('late frames wait for the guest, in order; copies that came both ways are one frame', () => {
  const s = toReady(make());
  s.give(nic(1)).expect(); // flooded before FINAL: the source's guest takes it or forwards it
  s.give(nic(2, true)).expect();
  s.give(final()).give(frame(1)).give(frame(3)).expect();
  s.give(nic(3)).expect();
  s.give(nic(4)).give(applied(3, 1)).expect('verify');
  s.give(OK).give({ type: 'state-loaded' }).give(RUNNING).give(frame(5)).expect();
  s.at(60 * MS).give(GUEST_STARTED);
  s.expect('announce', ...[2, 1, 3, 4, 5].map((n) => `inject-frame ${n}`), 'send started', 'send-hashes');
  s.give(frame(6)).expect('inject-frame 6').give(nic(6)).expect();
  s.give(nic(7)).expect('inject-frame 7').give(frame(7)).expect();
  s.give(frame(8)).expect('inject-frame 8').give(frame(8)).expect('inject-frame 8');
  s.wakesAt(60 * MS + DESTINATION_TIMERS.duplicateWindowNs);
  s.at(60 * MS + DESTINATION_TIMERS.duplicateWindowNs)
    .give(WOKE)
    .expect('nic-direct');
  s.give(got({ type: 'ended', migrationId: ID }))
    .give(frame(9))
    .expect('inject-frame 9');
});

test('frames for a guest that never starts go nowhere', () => {
  const s = toVerifying(make())
    .give(frame(1))
    .give({ type: 'verified', ok: false, text: '' })
    .give(frame(2))
    .expect();
  s.give(NEVER).expect('send nack VMOTION_VERIFY_FAILED', 'discard', 'finished never VMOTION_VERIFY_FAILED');
  s.give(frame(3)).expect().give(nic(4)).expect();
});

test('every wait has an end, but for the records', () => {
  make()
    .give(offer())
    .at(DESTINATION_TIMERS.prepareNs)
    .give(WOKE)
    .expect('send refuse VMOTION_LOCAL_TIMEOUT', 'discard', 'finished refused VMOTION_LOCAL_TIMEOUT');
  const stalled = (s: S, code: string, outcome: string) => {
    const atNs = s.machine.nextWakeNs();
    s.at(atNs - 1)
      .give(WOKE)
      .expect();
    s.at(atNs)
      .give(WOKE)
      .expect('record NEVER')
      .give(NEVER)
      .expect(`send nack ${code}`, 'discard', `finished ${outcome} ${code}`);
  };
  stalled(toReceiving(make()), 'VMOTION_FINAL_STALLED', 'aborted');
  stalled(toReady(make()), 'VMOTION_FINAL_STALLED', 'aborted');
  stalled(toReady(make()).give(final()), 'VMOTION_FINAL_STALLED', 'never');
  stalled(toVerifying(make()), 'VMOTION_LOCAL_TIMEOUT', 'never');
  const s = toRunning(make());
  s.at(60 * MS + DESTINATION_TIMERS.duplicateWindowNs)
    .give(WOKE)
    .expect('nic-direct');
  s.at(60 * MS + DESTINATION_TIMERS.endedNs)
    .give(WOKE)
    .expect('finished running VMOTION_ENDED_TIMEOUT')
    .wakesAt(Infinity);
});

test('an ASK is answered from the decision, under the right store only', () => {
  const ask = (storeId = STORE_B) => got({ type: 'ask', migrationId: ID, storeId });
  toReady(make())
    .give(ask())
    .expect('send answer undecided')
    .give(ask('cc'.repeat(16)))
    .expect('send answer unknown');
  toRunning(make()).give(ask()).expect('send started');
  make({ decisionOf: () => 'RUNNING' })
    .give(ask())
    .expect('send answer running');
  make({ decisionOf: () => 'NEVER' })
    .give(ask())
    .expect('send answer never');
  toReady(make()).give({ type: 'cancel', text: '' }).give(NEVER).give(ask()).expect('send answer never');
});

test('a message of a later minor version is answered and ignored', () => {
  const s = toReady(make()).give({ type: 'violation', code: 'VMOTION_MESSAGE_UNKNOWN', text: 'teleport' });
  s.expect('send reject VMOTION_MESSAGE_UNKNOWN').give(final()).give(applied(3, 1)).expect('verify');
});

test('options out of range are refused', () => {
  for (const over of [{ pages: 0 }, { streamsMax: 99 }, { timers: { finalNs: 0 } }]) {
    assert.throws(
      () => make(over),
      (e: unknown) => e instanceof ConfigError,
    );
  }
});

test('hybrid becomes pre-copy where missing pages cannot be caught, and ACCEPT says so', () => {
  const accepted = (mode: string, catchesFaults: boolean) =>
    make({ catchesFaults }).give(offer({ mode })).give({ type: 'prepared' }).sent('accept').mode;
  assert.is(accepted('hybrid', false), 'pre-copy');
  assert.is(accepted('hybrid', true), 'hybrid');
  assert.is(accepted('post-copy', true), 'post-copy');
  assert.is(accepted('pre-copy', false), 'pre-copy');
});

const RESUME = resume(5, false);

/** Pages 7 and 9 are missing when the guest starts. */
function toFilling(s: S): S {
  const missing = new PageSet(PAGES);
  missing.add(7);
  missing.add(9);
  s.at(0)
    .give(offer({ mode: 'hybrid' }))
    .give({ type: 'prepared' })
    .give(applied(1, 100));
  const left = new PageSet(PAGES);
  left.add(9);
  s.give(got({ type: 'arm', round: 2, left: encodePageSet(left) })).expect('arm');
  const arm = s.actions()[0]!;
  assert.ok(arm.type === 'arm' && arm.left.has(9) && arm.left.count() === 1 && arm.round === 2);
  s.give({ type: 'armed' }).give(applied(2, 3)).give(applied(3, 1));
  s.at(51 * MS)
    .give(final({ missing: encodePageSet(missing) }))
    .expect('verify');
  const verify = s.actions().find((a) => a.type === 'verify')!;
  assert.ok(verify.type === 'verify' && verify.missing.has(7) && verify.missing.count() === 2);
  s.give(OK).give({ type: 'state-loaded' }).give(RUNNING).expect('start-guest');
  return s
    .at(60 * MS)
    .give(GUEST_STARTED)
    .expect('announce', 'send started')
    .wakesAt(60.5 * MS + 499.5 * MS);
}

test('pages missing at the start: COMPLETE and the proof come with the last of them', () => {
  const s = toFilling(make());
  s.at(70 * MS)
    .give({ type: 'all-present' })
    .expect('send complete', 'send-hashes');
  s.at(71 * MS)
    .give(got({ type: 'ended', migrationId: ID }))
    .expect('forget-records', 'finished running VMOTION_OK');
});

test('the last page may be faster than the guest: COMPLETE waits for STARTED', () => {
  const s = make();
  s.at(0)
    .give(offer({ mode: 'post-copy' }))
    .give({ type: 'prepared' });
  s.give(got({ type: 'arm', round: 1, left: NONE }))
    .give({ type: 'armed' })
    .give(applied(1, 0))
    .give(applied(2, 0));
  s.give(final({ round: 2, pages: 0, missing: encodePageSet(PageSet.full(PAGES)) })).give(OK);
  s.give({ type: 'state-loaded' }).give(RUNNING).expect('start-guest');
  s.give({ type: 'all-present' }).expect();
  s.give(GUEST_STARTED).expect('announce', 'send started', 'send complete', 'send-hashes');
});

test('the link breaks while pages are missing: an alarm now and then, no end; RESUME is answered with what lacks', () => {
  const s = toFilling(make());
  s.at(62 * MS)
    .give(LOST)
    .expect();
  s.at(560 * MS)
    .give(WOKE)
    .expect('nic-direct');
  const alarmNs = 60 * MS + DESTINATION_TIMERS.fillingAlarmNs;
  for (let i = 0; i < 5; i++) {
    const atNs = alarmNs + i * DESTINATION_TIMERS.fillingAlarmNs;
    s.wakesAt(atNs).at(atNs).give(WOKE).expect();
    const [note] = s.actions();
    assert.ok(
      note?.type === 'report' && note.event.type === 'note' && note.event.code === 'VMOTION_POSTCOPY_STALLED',
    );
  }
  s.give({ type: 'reconnected' }).expect();
  s.give(RESUME).expect('take-up', 'tell-missing');
  const lacks = new PageSet(PAGES);
  lacks.add(9);
  s.give({ type: 'missing-told', round: 4, missing: lacks }).expect('send lacks');
  assert.equal(decodePageSet(PAGES, s.sent('lacks').missing)?.words, lacks.words);
  s.give({ type: 'all-present' }).expect('send complete', 'send-hashes');
});

test('COMPLETE was lost with the link: RESUME brings it, and the proof, again', () => {
  const s = toFilling(make());
  s.at(61 * MS)
    .give(LOST)
    .give({ type: 'all-present' })
    .expect();
  s.give({ type: 'reconnected' }).give(RESUME);
  s.expect('send complete', 'send-hashes');
  s.at(61 * MS + DESTINATION_TIMERS.endedNs)
    .give(WOKE)
    .expect('nic-direct');
  s.give(RESUME).expect('send complete', 'send-hashes');
  const t = toFilling(make());
  t.give({ type: 'all-present' }).expect('send complete', 'send-hashes');
  t.give(RESUME).expect('send complete', 'send-hashes');
});

test('ARM overtaken by the END of its round: a last round of no pages was refused as unexpected', () => {
  const s = toReceiving(make());
  s.give(applied(1, 100)).give(applied(2, 0)).expect('send round-done');
  s.give(got({ type: 'arm', round: 2, left: NONE })).expect('arm');
  s.give({ type: 'armed' }).expect('send ready');
  s.give(applied(3, 1)).give(final()).expect('verify');
  toReceiving(make())
    .give(applied(1, 100))
    .give(applied(2, 0))
    .give(got({ type: 'arm', round: 1, left: NONE }))
    .expect('record NEVER');
});

test('a set of pages that is none, or that this mode does not have, is refused', () => {
  const bad = (s: S, e: DestinationEvent) => s.give(e).expect('record NEVER');
  bad(toReceiving(make()), got({ type: 'arm', round: 2, left: Uint8Array.of(9) }));
  const some = encodePageSet(PageSet.full(PAGES));
  bad(toReceiving(make()), got({ type: 'arm', round: 2, left: some }));
  for (const missing of [some, Uint8Array.of(1, 0, 0)]) {
    toReady(make())
      .give(applied(3, 1))
      .give(final({ missing }))
      .expect('record NEVER')
      .give({ type: 'recorded', record: 'NEVER' })
      .expect('send nack VMOTION_FINAL_MISMATCH', 'discard', 'finished never VMOTION_FINAL_MISMATCH');
  }
});

test('the link breaks before FINAL is whole: what came is kept, LACKS says what did not, rounds go on', () => {
  const s = toReady(make())
    .at(50 * MS)
    .give(final())
    .expect()
    .give(LOST)
    .expect();
  s.wakesAt(50 * MS + DESTINATION_TIMERS.absentNs);
  s.give(BACK).expect().give(resume(5, false)).expect('take-up', 'tell-missing');
  const missing = PageSet.full(PAGES);
  missing.delete(3);
  s.give({ type: 'missing-told', round: 3, missing }).expect('send lacks');
  assert.is(s.sent('lacks').round, 3);
  s.give(applied(5, 99)).expect('send round-done');
  s.give(got({ type: 'arm', round: 6, left: NONE }))
    .expect('arm')
    .give({ type: 'armed' })
    .expect('send ready');
  s.give(applied(6, 0))
    .expect('send round-done')
    .give(applied(7, 1))
    .give(final({ round: 7 }))
    .expect('verify');
});

test('FINAL was lost: the final flight comes again over the new link, and the guest starts', () => {
  const s = toReady(make()).give(LOST).expect().give(BACK);
  s.give(got({ type: 'ask', migrationId: ID, storeId: STORE_B })).expect('send answer undecided');
  s.give(resume(4, true)).expect('take-up', 'tell-missing');
  s.give(applied(4, 1))
    .expect()
    .give(final({ round: 4 }))
    .expect('verify');
});

test('RESUME while the decision is under way: STARTED first, then what the guest lacks', () => {
  const missing = new PageSet(PAGES);
  missing.add(7);
  const s = make()
    .give(offer({ mode: 'hybrid' }))
    .give({ type: 'prepared' })
    .give(applied(1, 100));
  s.give(got({ type: 'arm', round: 2, left: NONE }))
    .give({ type: 'armed' })
    .give(applied(2, 3));
  s.give(applied(3, 1))
    .give(final({ missing: encodePageSet(missing) }))
    .give(LOST)
    .give(OK);
  s.give({ type: 'state-loaded' }).expect('record RUNNING').give(BACK);
  s.give(got({ type: 'ask', migrationId: ID, storeId: STORE_B })).expect('send answer undecided');
  s.give(resume(5, true)).expect().give(RUNNING).expect('start-guest');
  s.give(GUEST_STARTED).expect('announce', 'send started', 'take-up', 'tell-missing');
});

test('asked for what it never knew: NEVER is on record before it is said', () => {
  const s = make().give(got({ type: 'ask', migrationId: ID, storeId: STORE_B }));
  s.expect('record NEVER').give(NEVER).expect('send answer never', 'finished never VMOTION_RESOLVED');
  make()
    .give(got({ type: 'ask', migrationId: ID, storeId: 'cc'.repeat(16) }))
    .expect('send answer unknown');
});

test('a frame forwarded between RESUME and FINAL was delivered twice: only what follows FINAL counts', () => {
  const bytes = frameOf(7);
  const s = toReady(make()).give(resume(3, true));
  s.give(got({ type: 'frame', bytes })).expect();
  s.give(applied(3, 1))
    .give(final())
    .give(got({ type: 'frame', bytes }));
  s.give({ type: 'verified', ok: true, text: '' }).give({ type: 'state-loaded' }).give(RUNNING);
  s.give({ type: 'guest-started', atNs: 60 * MS }).expect(
    'announce',
    'inject-frame 7',
    'send started',
    'send-hashes',
  );
});

test('RESUME to a host that had lost its store was answered never: what names no store decides nothing', () => {
  for (const e of [resume(2, false), resume(2, true)]) make().give(e).expect('send answer unknown');
});

test('COMPLETE lost for longer than endedNs left the source serving for ever: the destination waits for it', () => {
  const s = toFilling(make());
  s.give(LOST).give({ type: 'all-present' }).expect();
  for (let i = 1; i <= 3; i++) s.at(61 * MS + i * DESTINATION_TIMERS.endedNs).give(WOKE);
  s.give({ type: 'reconnected' }).give(RESUME).expect('send complete', 'send-hashes');
  s.give(got({ type: 'ended', migrationId: ID })).expect('forget-records', 'finished running VMOTION_OK');
});

test('another migration is offered while the source is away: the old one is decided, NEVER', () => {
  const offered: DestinationEvent = { type: 'superseded', text: 'another one' };
  const s = toReady(make()).give(LOST).give(offered).expect('record NEVER');
  s.give(NEVER).expect('discard', 'finished aborted VMOTION_SUPERSEDED');
  toRunning(make()).give(LOST).give(offered).expect('finished running VMOTION_SUPERSEDED');
  toFilling(make()).give(LOST).give(offered).expect();
});

test('the source stays away: NEVER, though nobody is there to hear it', () => {
  const s = toReady(make())
    .at(50 * MS)
    .give(LOST)
    .at(50 * MS + DESTINATION_TIMERS.absentNs)
    .give(WOKE);
  s.expect('record NEVER').give(NEVER).expect('discard', 'finished aborted VMOTION_FINAL_STALLED');
});

test('of the codecs offered the first that is here is accepted; none of them, and a 1.0 peer, means none', () => {
  const accepted = (codecs: string, here: readonly string[], minor = 1): string =>
    make({ codecs: here })
      .give(offer({ codecs, version: { major: 2, minor } }))
      .give({ type: 'prepared' })
      .sent('accept').codec;
  assert.is(accepted('zstd,lz4', ['lz4', 'zstd', 'sparse']), 'zstd');
  assert.is(accepted('zstd,lz4', ['lz4']), 'lz4');
  assert.is(accepted('zstd', ['lz4']), '');
  assert.is(accepted('', ['lz4'], 0), '');
  const prepare = make({ codecs: ['lz4'] })
    .give(offer({ codecs: 'lz4', version: { major: 2, minor: 9 } }))
    .actions()
    .find((a) => a.type === 'prepare');
  assert.ok(prepare?.type === 'prepare' && prepare.codec === 'lz4' && prepare.minor === 2);
});

test('a machine of another shape is refused before a page has moved, and so is a model where a machine belongs', () => {
  const refusal = (shape: string, here?: string): string => {
    const s = make(here === undefined ? {} : { shape: here }).give(offer({ shape }));
    return s.actions().some((a) => a.type === 'prepare') ? 'taken' : s.sent('refuse').text;
  };
  assert.is(refusal('v86-1 64KiB', 'v86-1 64KiB'), 'taken');
  assert.is(
    refusal('v86-1 64KiB', 'v86-2 64KiB'),
    'the guest is v86-1 64KiB, the place here is for v86-2 64KiB',
  );
  assert.is(refusal('v86-1 64KiB'), 'the guest is v86-1 64KiB, the place here is for a model');
  assert.is(refusal('', 'v86-1 64KiB'), 'the guest is a model, the place here is for v86-1 64KiB');
});

test('what was missed in a round is named in its ROUND_DONE', () => {
  const s = toReceiving(make());
  const missed = new PageSet(PAGES);
  missed.add(7);
  s.give({ type: 'round-applied', round: 1, pages: 100, missed }).expect('send round-done');
  assert.equal(decodePageSet(PAGES, s.sent('round-done').missed), missed);
  s.give(applied(2, 5)).expect('send round-done');
  assert.is(s.sent('round-done').missed.length, 0);
});

test.run();
