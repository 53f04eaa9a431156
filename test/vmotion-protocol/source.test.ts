import * as assert from 'uvu/assert';
import { ConfigError, PageSet, WOKE } from '../../src/core/index.js';
import {
  type ConvergencePolicy,
  decodePageSet,
  encodePageSet,
  type Message,
  SOURCE_TIMERS,
  Source,
  type SourceAction,
  type SourceEvent,
  type SourceOptions,
} from '../../src/vmotion-protocol/index.js';
import { suite } from '../suite.js';
import { frameOf, Script } from './script.js';

const test = suite('vmotion-protocol/source');
const US = 1000;
const MS = 1_000_000;
const ID = '0123456789abcdef0123456789abcdef';
const STORE_A = 'aa'.repeat(16);
const STORE_B = 'bb'.repeat(16);
const HASH = { lo: 1, hi: 2 };
const PAGES = 100;

/** Switches after `rounds` rounds. */
const after = (rounds: number, action: 'switch' | 'give-up' = 'switch'): ConvergencePolicy => ({
  decide: (h) => ({
    action: h.rounds.length >= rounds ? action : 'continue',
    predictedPauseNs: MS,
    etaNs: MS,
    confidence: 1,
    reason: 'the test says so',
  }),
});

const make = (over: Partial<SourceOptions> = {}) =>
  new Script<SourceEvent, SourceAction>(
    new Source({
      migrationId: ID,
      guest: 'web-1',
      epoch: 3,
      pages: PAGES,
      streams: 2,
      storeId: STORE_A,
      policy: after(1),
      probes: 2,
      ...over,
    }),
  );

type S = ReturnType<typeof make>;
const got = (message: Message): SourceEvent => ({ type: 'received', message });
const ACCEPT = got({
  type: 'accept',
  version: { major: 2, minor: 0 },
  storeId: STORE_B,
  mode: 'pre-copy',
  codec: '',
});
const dirty = (...pfns: number[]): SourceEvent => {
  const set = new PageSet(PAGES);
  for (const p of pfns) set.add(p);
  return { type: 'harvested', dirty: set, dirtyPages: pfns.length };
};
const sent = (round: number, pages: number, zeroPages = 0): SourceEvent => ({
  type: 'round-sent',
  round,
  pages,
  zeroPages,
  bytes: pages * 4096,
  setHash: HASH,
});
const NONE = new Uint8Array(0);
const done = (round: number, pages: number, missed: Uint8Array = NONE) =>
  got({ type: 'round-done', round, pages, missed });
const READY = got({ type: 'ready' });
const STATE: SourceEvent = {
  type: 'state-saved',
  state: Uint8Array.of(1, 2, 3),
  stateHash: { lo: 5, hi: 6 },
};
const COMMIT: SourceEvent = { type: 'recorded', record: 'COMMIT' };
const ENDED: SourceEvent = { type: 'recorded', record: 'ENDED' };
const LOST: SourceEvent = { type: 'connection-lost', text: 'cut' };
const late = (n: number, group = false): SourceEvent => ({ type: 'late-frame', bytes: frameOf(n, group) });
const NACK = got({ type: 'nack', migrationId: ID, code: 'VMOTION_VERIFY_FAILED', text: 'differs' });
const TIMES = {
  finalReceivedNs: 50_500 * US,
  appliedNs: 50_510 * US,
  verifiedNs: 50_530 * US,
  recordedNs: 50_540 * US,
  startedNs: 50_600 * US,
};
const STARTED = got({ type: 'started', migrationId: ID, epoch: 3, times: TIMES });

function toRounds(s: S, precopyNs = SOURCE_TIMERS.precopyNs): S {
  s.at(0).give({ type: 'start' }).expect('send offer').wakesAt(SOURCE_TIMERS.acceptNs);
  s.at(MS)
    .give(ACCEPT)
    .expect('send ping', 'send ping')
    .wakesAt(MS + SOURCE_TIMERS.pongNs);
  s.at(1.8 * MS)
    .give(got({ type: 'pong', seq: 0 }))
    .expect();
  s.at(2.8 * MS)
    .give(got({ type: 'pong', seq: 1 }))
    .expect('harvest');
  return s
    .at(3 * MS)
    .give(dirty(1, 2))
    .expect('send-pages 1 (100)')
    .wakesAt(3 * MS + precopyNs);
}

/** Up to the pause call, at 50 ms. */
function toPause(s: S): S {
  toRounds(s);
  s.at(40 * MS)
    .give(sent(1, 90, 10))
    .expect()
    .wakesAt(40 * MS + SOURCE_TIMERS.roundDoneNs);
  s.at(41 * MS)
    .give(done(1, 100))
    .expect('harvest');
  s.at(41 * MS)
    .give(dirty(4, 5, 6))
    .expect('send arm', 'send-pages 2 (3)');
  s.at(42 * MS)
    .give(sent(2, 3))
    .expect();
  s.at(43 * MS)
    .give(done(2, 3))
    .expect()
    .wakesAt(43 * MS + SOURCE_TIMERS.readyNs);
  return s
    .at(50 * MS)
    .give(READY)
    .expect('pause-guest');
}

function toSaving(s: S): S {
  toPause(s);
  return s
    .at(50_020 * US)
    .give({ type: 'guest-paused' })
    .expect('harvest', 'save-state', 'forward-late-frames');
}

function toCommitting(s: S): S {
  toSaving(s);
  s.at(50_040 * US)
    .give(dirty(9))
    .expect();
  s.at(50_050 * US)
    .give(STATE)
    .expect('send-pages 3 final (1)')
    .wakesAt(50_050 * US + SOURCE_TIMERS.finalFlightNs);
  return s
    .at(50_090 * US)
    .give(sent(3, 1))
    .expect('record COMMIT');
}

function toCommitted(s: S): S {
  return toCommitting(s)
    .at(50_100 * US)
    .give(COMMIT)
    .expect('send final')
    .wakesAt(50_100 * US + SOURCE_TIMERS.startedNs);
}

function toProving(s: S): S {
  toCommitted(s)
    .at(51 * MS)
    .give(STARTED)
    .expect('record ENDED', 'release-guest');
  return s
    .give(ENDED)
    .expect()
    .wakesAt(51 * MS + SOURCE_TIMERS.proofNs);
}

test('the good path, message by message, and nothing more', () => {
  const s = toCommitted(make());
  assert.equal(s.sent('final'), {
    type: 'final',
    migrationId: ID,
    epoch: 3,
    round: 3,
    pages: 1,
    state: Uint8Array.of(1, 2, 3),
    stateHash: { lo: 5, hi: 6 },
    setHash: HASH,
    missing: Uint8Array.of(1),
  });
  s.at(51 * MS)
    .give(STARTED)
    .expect('record ENDED', 'release-guest');
  const pause = s.actions().find((a) => a.type === 'report' && a.event.type === 'pause');
  assert.equal(pause?.type === 'report' && pause.event.type === 'pause' && pause.event.parts, {
    stopNs: 20 * US,
    harvestNs: 20 * US,
    saveStateNs: 10 * US,
    recordCommitNs: 10 * US,
    sendNs: 40 * US,
    propagateNs: 400 * US,
    applyNs: 10 * US,
    verifyNs: 20 * US,
    recordRunningNs: 10 * US,
    startNs: 60 * US,
  });
  s.give(ENDED).expect();
  s.at(52 * MS)
    .give(got({ type: 'hashes', firstPfn: 0, hashes: new Uint8Array(60 * 8) }))
    .expect();
  s.at(53 * MS).give(got({ type: 'hashes', firstPfn: 60, hashes: new Uint8Array(40 * 8) }));
  s.expect('send ended', 'finished completed VMOTION_OK').wakesAt(Infinity);
  for (const e of [STARTED, NACK, LOST, WOKE, late(1), { type: 'cancel', text: 'x' } as const])
    s.give(e).expect();
});

test('the parts of the pause sum to the pause', () => {
  const s = toCommitted(make());
  s.at(51 * MS).give(STARTED);
  const pause = s.actions().find((a) => a.type === 'report' && a.event.type === 'pause');
  assert.ok(pause?.type === 'report' && pause.event.type === 'pause');
  const sum = Object.values(pause.event.parts).reduce((a, b) => a + b, 0);
  assert.is(sum, TIMES.startedNs - 50 * MS);
});

test('rounds go on while the policy says so, each one with what the last harvest found', () => {
  const s = toRounds(make({ policy: after(3) }));
  s.at(40 * MS)
    .give(sent(1, 100))
    .give(done(1, 100))
    .expect('harvest');
  s.at(41 * MS)
    .give(dirty(1, 2, 3, 4))
    .expect('send-pages 2 (4)');
  s.at(42 * MS)
    .give(sent(2, 4))
    .give(done(2, 4))
    .expect('harvest');
  s.at(43 * MS)
    .give(dirty(1, 2))
    .expect('send-pages 3 (2)');
  const report = s.actions().find((a) => a.type === 'report' && a.event.type === 'round');
  assert.ok(report?.type === 'report' && report.event.type === 'round');
  const { stats, verdict } = report.event;
  assert.equal([stats.round, stats.pagesSent, stats.dirtyPages, stats.bytes], [2, 4, 2, 16_384]);
  assert.is(stats.dirtyRatePagesPerS, 1000, '2 pages in the 2 ms between two harvests');
  assert.is(stats.throughputBps, (16_384 * 8e9) / (0.2 * MS), 'a millisecond less the round trip of 0.8 ms');
  assert.is(stats.predictedPauseNs, verdict!.predictedPauseNs);
});

test('READY may come before the last round is done', () => {
  const s = toRounds(make());
  s.at(40 * MS)
    .give(sent(1, 100))
    .give(done(1, 100))
    .give(dirty(1))
    .expect('send arm', 'send-pages 2 (1)');
  s.at(41 * MS)
    .give(READY)
    .expect();
  s.at(42 * MS)
    .give(sent(2, 1))
    .expect();
  s.at(43 * MS)
    .give(done(2, 1))
    .expect('pause-guest');
});

test('an offer refused, unanswered or accepted in a version that was not offered', () => {
  const start = () => make().at(0).give({ type: 'start' });
  start()
    .give(got({ type: 'refuse', code: 'VMOTION_LIMIT', text: 'full' }))
    .expect('finished refused VMOTION_LIMIT');
  start()
    .at(SOURCE_TIMERS.acceptNs - 1)
    .give(WOKE)
    .expect();
  start()
    .at(SOURCE_TIMERS.acceptNs)
    .give(WOKE)
    .expect('send abort VMOTION_ACCEPT_TIMEOUT', 'finished aborted VMOTION_ACCEPT_TIMEOUT');
  for (const version of [
    { major: 1, minor: 2 },
    { major: 2, minor: 3 },
  ]) {
    start()
      .give(got({ type: 'accept', version, storeId: STORE_B, mode: 'pre-copy', codec: '' }))
      .expect('send abort VMOTION_VERSION', 'finished aborted VMOTION_VERSION');
  }
});

test('before COMMIT every trouble leads back, and a guest that stands is resumed with its frames', () => {
  const troubles: [SourceEvent, string, boolean][] = [
    [{ type: 'cancel', text: 'operator' }, 'VMOTION_CANCELLED', true],
    [{ type: 'violation', code: 'VMOTION_MESSAGE_SYNTAX', text: 'rubbish' }, 'VMOTION_MESSAGE_SYNTAX', true],
    [NACK, 'VMOTION_VERIFY_FAILED', false],
    [got({ type: 'abort', code: 'VMOTION_LIMIT', text: '' }), 'VMOTION_LIMIT', false],
    [got({ type: 'offer' } as Message), 'VMOTION_MESSAGE_UNEXPECTED', true],
  ];
  for (const [event, code, told] of troubles) {
    const abort = told ? [`send abort ${code}`] : [];
    toRounds(make())
      .give(event)
      .expect(...abort, `finished aborted ${code}`)
      .wakesAt(Infinity);
    toPause(make())
      .give(event)
      .expect(...abort, 'resume-guest', `finished aborted ${code}`);
    toSaving(make())
      .give(late(1))
      .give(late(2, true))
      .give(event)
      .expect(...abort, 'resume-guest', 'deliver-late-frames (2)', `finished aborted ${code}`);
  }
});

test('trouble while COMMIT is being written: the guest resumes at once, the record is closed by ENDED', () => {
  const s = toCommitting(make());
  s.give({ type: 'cancel', text: 'operator' }).expect('send abort VMOTION_CANCELLED', 'resume-guest');
  s.give(COMMIT).expect('record ENDED');
  s.give(ENDED).expect('send ended', 'finished aborted VMOTION_CANCELLED');
  // A NACK may carry any code, also one that sounds as if our record had failed.
  const n = toCommitting(make());
  n.give(got({ type: 'nack', migrationId: ID, code: 'VMOTION_RECORD_FAILED', text: '' })).expect(
    'resume-guest',
  );
  n.give(COMMIT)
    .expect('record ENDED')
    .give(ENDED)
    .expect('send ended', 'finished aborted VMOTION_RECORD_FAILED');
});

test('COMMIT that cannot be recorded: the guest resumes, FINAL never leaves', () => {
  const failed: SourceEvent = { type: 'record-failed', record: 'COMMIT', text: 'disk full' };
  toCommitting(make())
    .give(failed)
    .expect('send abort VMOTION_RECORD_FAILED', 'resume-guest', 'finished aborted VMOTION_RECORD_FAILED');
  const s = toCommitting(make());
  s.give(LOST).expect('resume-guest');
  s.give(failed).expect('finished aborted VMOTION_CONNECTION_LOST');
});

test('after COMMIT nothing but the destination’s NEVER resumes the guest', () => {
  for (const event of [
    { type: 'cancel', text: 'operator' } as const,
    got({ type: 'abort', code: 'VMOTION_LIMIT', text: '' }),
    got({ type: 'nack', migrationId: 'ff'.repeat(16), code: '', text: '' }),
    got({ type: 'started', migrationId: ID, epoch: 2, times: TIMES }),
    got({ type: 'ready' }),
    done(3, 1),
  ]) {
    const s = toCommitted(make()).give(event).expect();
    s.at(51 * MS)
      .give(STARTED)
      .expect('record ENDED', 'release-guest');
  }
});

test('NACK: the guest resumes, gets the frames that were forwarded, and the record is closed', () => {
  const s = toSaving(make());
  s.give(late(1)).expect();
  s.give(dirty(9)).give(STATE).give(sent(3, 1)).give(COMMIT).expect('send final', 'send frame 1');
  s.give(late(2)).expect('send frame 2');
  s.give(late(3, true)).expect();
  s.give(NACK).expect('resume-guest', 'deliver-late-frames (3)', 'record ENDED');
  s.give(ENDED).expect('send ended', 'finished aborted VMOTION_VERIFY_FAILED');
});

test('after COMMIT a lost connection, a silence or rubbish is a doubt: the guest stays paused', () => {
  const rubbish: SourceEvent = { type: 'violation', code: 'VMOTION_MESSAGE_SYNTAX', text: '' };
  toCommitted(make()).give(LOST).expect('finished in-doubt VMOTION_CONNECTION_LOST').wakesAt(Infinity);
  toCommitted(make()).give(rubbish).expect('finished in-doubt VMOTION_MESSAGE_SYNTAX');
  const s = toCommitted(make())
    .at(50_100 * US + SOURCE_TIMERS.startedNs)
    .give(WOKE);
  s.expect('finished in-doubt VMOTION_STARTED_TIMEOUT');
  s.give(late(1)).expect('send frame 1');
  s.give(LOST).expect();
  s.give({ type: 'cancel', text: 'x' }).expect();
});

test('a doubt is settled by a late STARTED or NACK, by an answer, or by an operator', () => {
  const doubt = () => toCommitted(make()).give(LOST).expect('finished in-doubt VMOTION_CONNECTION_LOST');
  const answer = (verdict: 'running' | 'never' | 'undecided' | 'unknown') =>
    got({ type: 'answer', migrationId: ID, verdict });
  const asked = () => {
    const s = doubt().give({ type: 'reconnected' }).expect('send ask');
    assert.is(s.sent('ask').storeId, STORE_B, 'the store the migration was made with');
    return s;
  };
  const resumed = (s: S, code: string, told: string[]) => {
    s.expect('resume-guest', 'record ENDED')
      .give(ENDED)
      .expect(...told, `finished aborted ${code}`);
  };
  const gone = (s: S, told: string[]) => {
    s.expect('record ENDED', 'release-guest')
      .give(ENDED)
      .expect(...told, 'finished completed VMOTION_RESOLVED');
  };
  asked().give(answer('unknown')).expect();
  resumed(asked().give(answer('never')), 'VMOTION_RESOLVED', ['send ended']);
  gone(asked().give(answer('running')), ['send ended']);
  resumed(doubt().give({ type: 'resolved', verdict: 'never', text: 'operator' }), 'VMOTION_RESOLVED', []);
  gone(doubt().give({ type: 'resolved', verdict: 'running', text: 'operator' }), []);
  const silent = () =>
    toCommitted(make())
      .at(60_000 * MS)
      .give(WOKE)
      .expect('finished in-doubt VMOTION_STARTED_TIMEOUT');
  resumed(silent().give(NACK), 'VMOTION_VERIFY_FAILED', ['send ended']);
  silent().give(STARTED).expect('record ENDED', 'release-guest');
});

test('after STARTED frames are forwarded until the end, and the proof may fail without harm', () => {
  const s = toProving(make());
  s.give(late(4)).expect('send frame 4');
  s.give(NACK).expect();
  s.give(LOST).expect(); // the hashes may come over the next connection
  s.at(51 * MS + SOURCE_TIMERS.proofNs)
    .give(WOKE)
    .expect('finished completed VMOTION_PROOF_INCOMPLETE');
  toProving(make())
    .at(51 * MS + SOURCE_TIMERS.proofNs)
    .give(WOKE)
    .expect('send ended', 'finished completed VMOTION_PROOF_INCOMPLETE');
});

test('ENDED that cannot be recorded changes no outcome', () => {
  const failed: SourceEvent = { type: 'record-failed', record: 'ENDED', text: 'disk full' };
  const s = toCommitted(make())
    .at(51 * MS)
    .give(STARTED)
    .give(failed)
    .expect();
  s.give(got({ type: 'hashes', firstPfn: 0, hashes: new Uint8Array(800) }));
  s.expect('send ended', 'finished completed VMOTION_OK');
  toCommitted(make()).give(NACK).give(failed).expect('send ended', 'finished aborted VMOTION_VERIFY_FAILED');
});

test('every wait has an end', () => {
  const end = (s: S, code: string, ...before: string[]) => {
    const atNs = s.machine.nextWakeNs();
    s.at(atNs - 1)
      .give(WOKE)
      .expect();
    s.at(atNs)
      .give(WOKE)
      .expect(`send abort ${code}`, ...before, `finished aborted ${code}`);
  };
  end(make().at(0).give({ type: 'start' }).at(MS).give(ACCEPT), 'VMOTION_PROBE_TIMEOUT');
  end(toRounds(make()), 'VMOTION_PRECOPY_LIMIT');
  end(toRounds(make()).give(sent(1, 100)), 'VMOTION_ROUND_STALLED');
  end(toRounds(make()).give(sent(1, 100)).give(done(1, 100)), 'VMOTION_LOCAL_TIMEOUT');
  end(
    toRounds(make()).give(sent(1, 100)).give(done(1, 100)).give(dirty(1)).give(sent(2, 1)).give(done(2, 1)),
    'VMOTION_READY_TIMEOUT',
  );
  end(toPause(make()), 'VMOTION_LOCAL_TIMEOUT', 'resume-guest');
  end(toSaving(make()), 'VMOTION_LOCAL_TIMEOUT', 'resume-guest');
  end(toSaving(make()).give(dirty(9)).give(STATE), 'VMOTION_FINAL_STALLED', 'resume-guest');
});

test('the pre-copy limit holds across rounds', () => {
  const s = toRounds(make({ policy: after(1000), precopyLimitNs: 100 * MS }), 100 * MS);
  s.at(90 * MS)
    .give(sent(1, 100))
    .give(done(1, 100))
    .give(dirty(1))
    .expect('send-pages 2 (1)')
    .wakesAt(103 * MS);
  s.at(104 * MS)
    .give(sent(2, 1))
    .give(done(2, 1))
    .give(dirty(1));
  s.expect('send abort VMOTION_PRECOPY_LIMIT', 'finished aborted VMOTION_PRECOPY_LIMIT');
});

test('a policy may give up, and then the guest was never paused', () => {
  const s = toRounds(make({ policy: after(1, 'give-up') }));
  s.give(sent(1, 100)).give(done(1, 100)).give(dirty(1));
  s.expect('send abort VMOTION_NO_CONVERGENCE', 'finished aborted VMOTION_NO_CONVERGENCE');
});

test('a destination that counts other pages than were sent is not trusted with the guest', () => {
  toRounds(make())
    .give(sent(1, 90, 10))
    .give(done(1, 99))
    .expect('send abort VMOTION_ROUND_COUNT', 'finished aborted VMOTION_ROUND_COUNT');
});

test('a state larger than was offered ends the migration before COMMIT', () => {
  const s = toSaving(make({ stateBytesMax: 2 })).give(STATE);
  s.expect('send abort VMOTION_STATE_SIZE', 'resume-guest', 'finished aborted VMOTION_STATE_SIZE');
});

test('a message of a later minor version is answered and ignored', () => {
  const s = toRounds(make()).give({ type: 'violation', code: 'VMOTION_MESSAGE_UNKNOWN', text: 'teleport' });
  s.expect('send reject VMOTION_MESSAGE_UNKNOWN').give(sent(1, 100)).give(done(1, 100)).expect('harvest');
});

test('late frames are bounded: what does not fit is neither kept nor forwarded, and it is reported', () => {
  const s = toSaving(make({ lateFramesMax: 2 }));
  for (const n of [1, 2, 3]) s.give(late(n));
  s.give({ type: 'cancel', text: '' });
  s.expect(
    'send abort VMOTION_CANCELLED',
    'resume-guest',
    'deliver-late-frames (2)',
    'finished aborted VMOTION_CANCELLED',
  );
  const report = s.actions().find((a) => a.type === 'report' && a.event.type === 'late-frames');
  assert.equal(report?.type === 'report' && report.event.type === 'late-frames' && report.event.counts, {
    in: 3,
    out: 0,
    dropped: 1,
    held: 2,
  });
  assert.equal(
    toSaving(make())
      .give({ type: 'late-frame', bytes: new Uint8Array(13) })
      .expect()
      .actions().length,
    1,
  );
});

test('options out of range are refused with what is allowed', () => {
  for (const over of [
    { pages: 0 },
    { streams: 17 },
    { epoch: -1 },
    { guest: '' },
    { migrationId: 'x' },
    { probes: 0 },
    { timers: { startedNs: 0 } },
  ]) {
    assert.throws(
      () => make(over),
      (e: unknown) => e instanceof ConfigError && e.code === 'VMOTION_CONFIG_RANGE',
    );
  }
});

// ── post-copy and hybrid ──────────────────────────────────────────────────────────────────────────

const accept = (mode: 'pre-copy' | 'post-copy' | 'hybrid'): SourceEvent =>
  got({ type: 'accept', version: { major: 2, minor: 0 }, storeId: STORE_B, mode, codec: '' });
const COMPLETE = got({ type: 'complete', migrationId: ID, epoch: 3 });
const pagesOf = (bytes: Uint8Array): number[] => {
  const set = decodePageSet(PAGES, bytes)!;
  const out = [];
  for (let p = set.next(0); p >= 0; p = set.next(p + 1)) out.push(p);
  return out;
};

function toProbed(s: S, mode: 'pre-copy' | 'post-copy' | 'hybrid'): S {
  s.at(0).give({ type: 'start' });
  s.at(MS)
    .give(accept(mode))
    .give(got({ type: 'pong', seq: 0 }));
  return s.give(got({ type: 'pong', seq: 1 })).expect('harvest');
}

/** Two pages may travel in the pause; 4 and 5 are dirty after both rounds. */
function toServing(s: S): S {
  toProbed(s, 'hybrid')
    .at(3 * MS)
    .give(dirty())
    .expect('send-pages 1 (100)');
  s.give(sent(1, 100))
    .give(done(1, 100))
    .give(dirty(4, 5, 6))
    .expect('send-pages 2 (3)');
  s.give(sent(2, 3))
    .give(done(2, 3))
    .give(dirty(4, 5, 8))
    .expect('send arm', 'send-pages 3 (0)');
  assert.equal(pagesOf(s.sent('arm').left), [4, 5, 8], 'a round that does not pay is not made');
  s.give(sent(3, 0)).give(done(3, 0)).give(READY).expect('pause-guest');
  s.give({ type: 'guest-paused' })
    .give(STATE)
    .give(dirty(1, 4, 9, 30))
    .expect('send-pages 4 final (2)');
  const [flight] = s.actions().filter((a) => a.type === 'send-pages');
  assert.ok(
    flight?.type === 'send-pages' && flight.pages.has(4) && flight.pages.has(5),
    'hot pages are in the pause',
  );
  s.at(50 * MS)
    .give(sent(4, 2))
    .give(COMMIT)
    .expect('send final', 'serve-pages 5 (4)');
  assert.equal(pagesOf(s.sent('final').missing), [1, 8, 9, 30], 'dirty or left out, and not in the flight');
  return s
    .at(51 * MS)
    .give(STARTED)
    .expect()
    .wakesAt(51 * MS + SOURCE_TIMERS.servingAlarmNs);
}
const hybrid = (over: Partial<SourceOptions> = {}) =>
  make({
    mode: 'hybrid',
    policy: {
      decide: (h) => ({
        ...after(2).decide(h),
        action: h.rounds.length < 2 ? 'continue' : 'post-copy',
        flightPagesMax: 2,
      }),
    },
    ...over,
  });

test('hybrid: FINAL names what is missing, the memory is kept until COMPLETE, the proof follows', () => {
  const s = toServing(hybrid());
  s.at(52 * MS)
    .give(late(1))
    .expect('send frame 1');
  s.at(60 * MS)
    .give(COMPLETE)
    .expect('record ENDED', 'release-guest')
    .give(ENDED)
    .expect();
  s.give(got({ type: 'hashes', firstPfn: 0, hashes: new Uint8Array(PAGES * 8) }));
  s.expect('send ended', 'finished completed VMOTION_OK');
});

test('the destination of a guest that is served dies: an operator is asked for once, and has it run on here', () => {
  const s = toServing(hybrid());
  s.at(52 * MS)
    .give({ type: 'connection-lost', text: 'broken' })
    .expect();
  s.give({ type: 'peer-gone', text: 'gone' }).expect('finished in-doubt VMOTION_CONNECTION_LOST');
  s.give({ type: 'peer-gone', text: 'gone' }).expect();
  s.at(60 * MS)
    .give({ type: 'resolved', verdict: 'never', text: 'operator' })
    .expect('resume-guest', 'record ENDED')
    .give(ENDED)
    .expect('finished aborted VMOTION_RESOLVED');
});

test('a destination that is connected runs the guest: no word has a second copy run here', () => {
  const s = toServing(hybrid());
  s.give({ type: 'resolved', verdict: 'never', text: 'operator' }).expect();
  s.at(60 * MS)
    .give(COMPLETE)
    .expect('record ENDED', 'release-guest');
});

test('hybrid, and rounds that pay to the end: the last one leaves out only what is hot', () => {
  const s = hybrid({ policy: after(2) });
  toProbed(s, 'hybrid')
    .give(dirty())
    .give(sent(1, 100))
    .give(done(1, 100))
    .give(dirty(4, 5, 6));
  s.give(sent(2, 3))
    .give(done(2, 3))
    .give(dirty(4, 5, 8))
    .expect('send arm', 'send-pages 3 (1)');
  assert.equal(pagesOf(s.sent('arm').left), [4, 5]);
  s.give(sent(3, 1)).give(done(3, 1)).give(READY).give({ type: 'guest-paused' }).give(STATE).give(dirty(9));
  s.expect('send-pages 4 final (3)');
});

test('hybrid, and all that is dirty fits the pause: nothing is missing, nothing is served', () => {
  const s = hybrid();
  toProbed(s, 'hybrid').give(dirty()).give(sent(1, 100)).give(done(1, 100)).give(dirty(4));
  s.give(sent(2, 1)).give(done(2, 1)).give(dirty(8)).give(sent(3, 1)).give(done(3, 1)).give(READY);
  s.give({ type: 'guest-paused' }).give(STATE).give(dirty(9)).expect('send-pages 4 final (2)');
  s.give(sent(4, 2)).give(COMMIT).expect('send final');
  s.at(51 * MS)
    .give(STARTED)
    .expect('record ENDED', 'release-guest');
});

test('post-copy: one round of no pages, then all but the first few are missing', () => {
  const s = toProbed(make({ mode: 'post-copy' }), 'post-copy');
  s.give(dirty()).expect('send arm', 'send-pages 1 (0)');
  assert.equal(pagesOf(s.sent('arm').left), [], 'the destination has nothing to drop');
  s.give(sent(1, 0)).give(done(1, 0)).give(READY).expect('pause-guest');
  s.give({ type: 'guest-paused' }).give(STATE).give(dirty(0, 50)).expect('send-pages 2 final (16)');
  s.give(sent(2, 16)).give(COMMIT).expect('send final', 'serve-pages 3 (84)');
  const missing = pagesOf(s.sent('final').missing);
  assert.not.ok(missing.includes(0) || missing.includes(50), 'what was just written is wanted first');
});

test('a destination that cannot catch missing pages: hybrid is pre-copy, and it is said; anything else is no answer', () => {
  const s = hybrid({ policy: after(1) });
  s.at(0).give({ type: 'start' }).give(accept('pre-copy')).expect('send ping', 'send ping');
  assert.ok(s.actions().some((a) => a.type === 'report' && a.event.type === 'note'));
  s.give(got({ type: 'pong', seq: 0 }))
    .give(got({ type: 'pong', seq: 1 }))
    .give(dirty());
  s.give(sent(1, 100)).give(done(1, 100)).give(dirty(4)).expect('send arm', 'send-pages 2 (1)');
  s.give(sent(2, 1)).give(done(2, 1)).give(READY).give({ type: 'guest-paused' }).give(STATE);
  s.give(dirty(...Array.from({ length: 50 }, (_, i) => i))).expect('send-pages 3 final (50)');
  for (const [offered, granted] of [
    ['pre-copy', 'hybrid'],
    ['post-copy', 'pre-copy'],
    ['hybrid', 'post-copy'],
  ] as const) {
    make({ mode: offered })
      .give({ type: 'start' })
      .give(accept(granted))
      .expect('send abort VMOTION_MODE', 'finished aborted VMOTION_MODE');
  }
});

test('the link breaks while pages are served: no end and no resume; over a new one only what lacks is sent', () => {
  const s = toServing(hybrid());
  s.at(60 * MS)
    .give(LOST)
    .expect();
  s.give({ type: 'cancel', text: '' }).expect();
  for (let i = 1; i < 4; i++) {
    const atNs = 51 * MS + i * SOURCE_TIMERS.servingAlarmNs;
    s.wakesAt(atNs).at(atNs).give(WOKE).expect();
  }
  s.give({ type: 'reconnected' }).expect('send resume');
  const lacks = new PageSet(PAGES);
  lacks.add(30);
  s.give(got({ type: 'lacks', migrationId: ID, round: 5, missing: encodePageSet(lacks) })).expect(
    'serve-pages 6 (1)',
  );
  lacks.add(77);
  s.give(got({ type: 'lacks', migrationId: ID, round: 5, missing: encodePageSet(lacks) })).expect();
  s.give(COMPLETE).expect('record ENDED', 'release-guest');
});

test('STARTED was lost: the doubt is settled by asking, and then the pages are served', () => {
  const s = hybrid();
  toProbed(s, 'hybrid')
    .give(dirty())
    .give(sent(1, 100))
    .give(done(1, 100))
    .give(dirty(4, 5, 6));
  s.give(sent(2, 3))
    .give(done(2, 3))
    .give(dirty(4, 5, 8))
    .give(sent(3, 1))
    .give(done(3, 1))
    .give(READY);
  s.give({ type: 'guest-paused' })
    .give(STATE)
    .give(dirty(1, 4, 9, 30))
    .give(sent(4, 2))
    .give(COMMIT);
  s.give(LOST).expect('finished in-doubt VMOTION_CONNECTION_LOST');
  s.give({ type: 'reconnected' }).expect('send ask');
  s.give(got({ type: 'answer', migrationId: ID, verdict: 'running' })).expect('send resume');
  s.give(COMPLETE).expect('record ENDED', 'release-guest');
});

test('a NACK behind FINAL: the guest resumes, whatever was served', () => {
  const s = hybrid();
  toProbed(s, 'hybrid')
    .give(dirty())
    .give(sent(1, 100))
    .give(done(1, 100))
    .give(dirty(4, 5, 6));
  s.give(sent(2, 3))
    .give(done(2, 3))
    .give(dirty(4, 5, 8))
    .give(sent(3, 1))
    .give(done(3, 1))
    .give(READY);
  s.give({ type: 'guest-paused' })
    .give(STATE)
    .give(dirty(1, 4, 9, 30))
    .give(sent(4, 2))
    .give(COMMIT);
  s.give(NACK).expect('resume-guest', 'record ENDED');
});

test('a guest is slowed as the policy says, and runs freely again when it stays', () => {
  const slow = { ...after(9).decide({ rounds: [], rttNs: 0, pages: PAGES, mode: 'pre-copy', slowdown: 0 }) };
  const asked: number[] = [];
  const s = make({
    policy: {
      decide: (h) => {
        asked.push(h.slowdown);
        return h.rounds.length < 3
          ? { ...slow, action: 'slow', slowdown: 0.2 * h.rounds.length }
          : { ...slow, action: 'give-up' };
      },
    },
  });
  toRounds(s)
    .give(sent(1, 100))
    .give(done(1, 100))
    .give(dirty(1))
    .expect('slow-guest 0.2', 'send-pages 2 (1)');
  s.give(sent(2, 1)).give(done(2, 1)).give(dirty(1)).expect('slow-guest 0.4', 'send-pages 3 (1)');
  s.give(sent(3, 1)).give(done(3, 1)).give(dirty(1));
  s.expect('send abort VMOTION_NO_CONVERGENCE', 'slow-guest 0', 'finished aborted VMOTION_NO_CONVERGENCE');
  assert.equal(asked, [0, 0.2, 0.4]);
});

/** LACKS: all but these came of `round`. */
const lacksAllBut = (round: number, ...came: number[]): SourceEvent => {
  const missing = PageSet.full(PAGES);
  for (const pfn of came) missing.delete(pfn);
  return got({ type: 'lacks', migrationId: ID, round, missing: encodePageSet(missing) });
};
const BACK: SourceEvent = { type: 'reconnected' };

test('the link breaks in a round: the guest runs on, and over a new one only what did not come is sent', () => {
  const s = toRounds(make());
  s.at(10 * MS)
    .give(LOST)
    .expect()
    .wakesAt(3 * MS + SOURCE_TIMERS.precopyNs);
  s.at(11 * MS)
    .give(sent(1, 100))
    .expect(); // handed to a link that was broken already
  s.at(20 * MS)
    .give(BACK)
    .expect('send resume');
  assert.equal(s.sent('resume'), { type: 'resume', migrationId: ID, epoch: 3, round: 2, final: false });
  s.give(LOST).expect().give(LOST).expect();
  s.at(30 * MS)
    .give(BACK)
    .expect('send resume')
    .give(lacksAllBut(1, 0, 1, 2, 99))
    .expect('send-pages 2 (96)');
  // Once more, and nothing of the second round came.
  s.give(LOST).expect().give(BACK).expect('send resume');
  assert.is(s.sent('resume').round, 3);
  s.give(lacksAllBut(1, 0, 1, 2, 99)).expect('send-pages 3 (96)');
  s.give(sent(3, 96)).expect().give(done(3, 96)).expect('harvest');
});

test('the link breaks in the last round or in the pause: rounds again, with what was left out and what was dirty', () => {
  const s = toPause(make());
  s.give(LOST).expect('resume-guest').give(BACK).expect('send resume');
  s.give(lacksAllBut(2)).expect('send-pages 3 (0)');
  const t = toSaving(make()).give(late(1)).give(dirty(7, 8)).give(LOST);
  t.expect('resume-guest', 'deliver-late-frames (1)');
  t.give(BACK).give(lacksAllBut(2)).expect('send-pages 3 (2)');
  const u = toSaving(make()).give(LOST).expect('resume-guest').give(dirty(7, 8)).expect();
  u.give(BACK).give(lacksAllBut(2)).expect('send-pages 3 (2)');
  const v = toSaving(make()).give(dirty(7, 8)).give(STATE).expect('send-pages 3 final (2)');
  v.give(LOST).expect('resume-guest').give(BACK).give(lacksAllBut(3, 8)).expect('send-pages 4 (1)');
});

test('the link breaks while the dirty pages are collected: they are sent over the next one', () => {
  const s = toRounds(make()).give(sent(1, 100)).give(done(1, 100)).expect('harvest').give(LOST).expect();
  s.give(dirty(4, 5)).expect().give(BACK).expect('send resume');
  s.give(lacksAllBut(1, 4)).expect('send-pages 2 (2)');
});

test('the link does not come back: pre-copy waits until its limit, then the guest stays', () => {
  const s = toRounds(make({ precopyLimitNs: 50 * MS }), 50 * MS)
    .at(10 * MS)
    .give(LOST)
    .expect();
  s.wakesAt(53 * MS)
    .at(53 * MS)
    .give(WOKE)
    .expect('finished aborted VMOTION_PRECOPY_LIMIT');
  const known = toRounds(make()).give(LOST).give(BACK).expect('send resume');
  known
    .give(got({ type: 'answer', migrationId: ID, verdict: 'never' }))
    .expect('finished aborted VMOTION_CONNECTION_LOST');
});

test('FINAL was lost, and the destination has decided nothing: the flight and FINAL go again, the guest stands', () => {
  const s = toCommitted(make()).give(late(1)).expect('send frame 1');
  s.give(LOST).expect('finished in-doubt VMOTION_CONNECTION_LOST').give(BACK).expect('send ask');
  s.give(got({ type: 'answer', migrationId: ID, verdict: 'undecided' })).expect('send resume');
  assert.equal([s.sent('resume').round, s.sent('resume').final], [4, true]);
  s.give(lacksAllBut(3)).expect('send-pages 4 final (1)');
  s.give(sent(4, 1)).expect('send final', 'send frame 1');
  assert.is(s.sent('final').round, 4);
  s.at(51 * MS)
    .give(STARTED)
    .expect('record ENDED', 'release-guest');
});

test('frames that came between ASK and FINAL were forwarded twice; those of the outage, when STARTED was lost, never', () => {
  const s = toCommitted(make()).give(late(1)).expect('send frame 1').give(LOST).give(late(2)).expect();
  s.give(BACK).give(late(3)).expect();
  s.give(got({ type: 'answer', migrationId: ID, verdict: 'undecided' })).give(lacksAllBut(3));
  s.give(late(4)).expect().give(sent(4, 1));
  s.expect('send final', 'send frame 1', 'send frame 2', 'send frame 3', 'send frame 4');
  s.give(late(5)).expect('send frame 5');
  const t = toCommitted(make()).give(late(1)).give(LOST).give(late(2)).give(late(3, true)).give(BACK);
  t.at(51 * MS)
    .give(STARTED)
    .expect('send frame 2', 'record ENDED', 'release-guest', 'send resume');
});

test('STARTED was lost and is said again: the proof follows over the new link', () => {
  const s = toCommitted(make()).give(LOST).give(BACK).expect('send ask');
  s.at(51 * MS)
    .give(STARTED)
    .expect('record ENDED', 'release-guest', 'send resume')
    .give(ENDED)
    .expect();
  s.give(LOST).expect().give(BACK).expect('send resume');
  s.give(got({ type: 'complete', migrationId: ID, epoch: 3 })).expect();
  s.give(got({ type: 'hashes', firstPfn: 0, hashes: new Uint8Array(PAGES * 8) })).expect(
    'send ended',
    'finished completed VMOTION_OK',
  );
});

// ── encoded pages ─────────────────────────────────────────────────────────────────────────────────

const missed = (...pfns: number[]): Uint8Array => {
  const set = new PageSet(PAGES);
  for (const p of pfns) set.add(p);
  return encodePageSet(set);
};
const sentPages = (s: S): number[] => {
  const action = s.actions().find((a) => a.type === 'send-pages');
  const set = action?.type === 'send-pages' ? action.pages : new PageSet(PAGES);
  return pagesOf(encodePageSet(set));
};

test('pages that the destination missed are in the next round, beside what is dirty', () => {
  const s = toRounds(make({ policy: after(3) }));
  s.give(sent(1, 100)).give(done(1, 100, missed(7, 50)));
  s.expect('harvest').give(dirty(3, 7)).expect('send-pages 2 (3)');
  assert.equal(sentPages(s), [3, 7, 50]);
  s.give(sent(2, 3)).give(done(2, 3)).expect('harvest').give(dirty(4)).expect('send-pages 3 (1)');
  assert.equal(sentPages(s), [4], 'once');
});

test('the policy wants to switch: what was missed is in the last round, and what that one misses in the pause', () => {
  const s = toRounds(make());
  s.give(sent(1, 100)).give(done(1, 100, missed(50)));
  s.give(dirty(3)).expect('send arm', 'send-pages 2 (2)');
  assert.equal(sentPages(s), [3, 50]);
  s.give(READY)
    .give(sent(2, 2))
    .give(done(2, 2, missed(50)));
  s.expect('pause-guest').give({ type: 'guest-paused' }).give(dirty(9)).give(STATE);
  s.expect('send-pages 3 final (2)');
  assert.equal(sentPages(s), [9, 50]);
});

test('hybrid: a page missed in the last round is in the final flight or missing, never taken for present', () => {
  const s = toProbed(make({ policy: after(1, 'switch'), mode: 'hybrid' }), 'hybrid').give(dirty());
  s.give(sent(1, 100)).give(done(1, 100)).give(dirty()).give(READY).give(sent(2, 0));
  s.give(done(2, 0, missed(50))).expect('pause-guest');
  s.give({ type: 'guest-paused' }).give(dirty(9)).give(STATE);
  const action = s.actions().find((a) => a.type === 'send-pages');
  assert.ok(action?.type === 'send-pages' && action.missing !== null);
  const carried = action.pages.clone();
  carried.union(action.missing);
  assert.ok(carried.has(9) && carried.has(50));
});

test('missed that is no set of pages, and a codec that was not offered, end the migration', () => {
  toRounds(make())
    .give(sent(1, 100))
    .give(done(1, 100, Uint8Array.of(9, 9)))
    .expect('send abort VMOTION_MESSAGE_FIELD', 'finished aborted VMOTION_MESSAGE_FIELD');
  const accept = (codec: string) =>
    got({ type: 'accept', version: { major: 2, minor: 1 }, storeId: STORE_B, mode: 'pre-copy', codec });
  const start = () => make({ codecs: 'zstd,lz4' }).at(0).give({ type: 'start' });
  assert.is(start().sent('offer').codecs, 'zstd,lz4');
  start().give(accept('gzip')).expect('send abort VMOTION_CODEC', 'finished aborted VMOTION_CODEC');
  const s = start().give(accept('lz4')).expect('send ping', 'send ping');
  assert.equal([(s.machine as Source).codec, (s.machine as Source).minor], ['lz4', 1]);
  start().give(accept('')).expect('send ping', 'send ping');
});

test.run();
