/**
 * The source's pause: what is dirty is parted, COMMIT recorded, FINAL sent, late frames kept and forwarded.
 *
 *   pausing ─guest-paused─► saving ─harvested, state-saved─► final-flight ─round-sent─► committing ─COMMIT─► committed
 */

import { formatNs, PageSet } from '../core/index.js';
import { FRAME_BYTES_MAX, type Hash64, type Started } from './messages.js';
import { takePages } from './page-heat.js';
import { encodePageSet } from './page-set-codec.js';
import { pausePartsOf } from './pause-parts.js';
import type { SourceEvent } from './source-contract.js';
import { forward, resume, serve, startedThere } from './source-postcopy.js';
import { beginRound, decide, reportRound } from './source-rounds.js';
import type { SourceState } from './source-state.js';
import { giveUp, recordEnd, unexpected } from './source-way-back.js';

const ETHERNET_HEADER_BYTES = 14;

export function harvested(s: SourceState, dirty: PageSet, dirtyPages: number): void {
  if (s.phase === 'tracking') {
    s.log.armed(s.nowNs);
    s.precopyEndNs = s.nowNs + s.options.timers.precopyNs;
    const all = PageSet.full(s.options.pages);
    if (s.log.mode !== 'post-copy') return beginRound(s, 'round', all);
    s.left = all;
    beginRound(s, 'last-round', new PageSet(s.options.pages));
  } else if (s.phase === 'harvesting') {
    s.heat.harvested(dirty);
    decide(s, dirty, dirtyPages);
  } else if (s.phase === 'saving') {
    s.instants.harvestedNs = s.nowNs;
    reportRound(s, dirtyPages, null);
    s.dirty = chooseFlight(s, dirty);
    finalFlightMayBegin(s);
  }
  if (s.phase === 'reconnecting') s.owed.union(dirty); // of a pause that was taken back
}

/** Parts what is dirty, or was left out, into the pages that travel in the pause and those that are missing then. */
function chooseFlight(s: SourceState, dirty: PageSet): PageSet {
  const { mode } = s.log;
  if (mode === 'pre-copy') {
    s.missing = new PageSet(dirty.pages);
    return dirty;
  }
  const wanted = mode === 'post-copy' ? dirty : s.wanted;
  const missing = dirty.clone();
  missing.union(s.left);
  const flight = takePages(missing, wanted, s.flightPagesMax);
  s.missing = missing;
  s.hot = dirty;
  return flight;
}

export function guestPaused(s: SourceState): void {
  s.instants.guestPausedNs = s.nowNs;
  s.enter('saving', s.options.timers.localNs);
  s.do({ type: 'harvest' });
  s.do({ type: 'save-state' });
  s.do({ type: 'forward-late-frames' });
}

export function stateSaved(s: SourceState, bytes: Uint8Array, hash: Hash64): void {
  if (bytes.length > s.options.stateBytesMax) {
    return giveUp(
      s,
      'VMOTION_STATE_SIZE',
      `${bytes.length} bytes of state; ${s.options.stateBytesMax} are allowed`,
    );
  }
  s.instants.stateSavedNs = s.nowNs;
  s.state = { bytes, hash };
  finalFlightMayBegin(s);
}

function finalFlightMayBegin(s: SourceState): void {
  if (s.dirty !== null && s.state !== null) beginRound(s, 'final-flight', s.dirty);
}

/** The final flight has left: for the first time, and then COMMIT is due, or over a new connection, and then FINAL is. */
export function flightSent(s: SourceState, e: Extract<SourceEvent, { type: 'round-sent' }>): void {
  if (e.round !== s.round || s.sent) return;
  s.sent = true;
  s.sentPages = e.pages + e.zeroPages;
  s.setHash = e.setHash;
  if (s.phase === 'in-doubt') return sendFinal(s);
  s.instants.pagesSentNs = s.nowNs;
  s.enter('committing', s.options.timers.localNs);
  s.commitPending = true;
  s.do({ type: 'record', record: 'COMMIT' });
}

export function commitRecorded(s: SourceState): void {
  s.commitPending = false;
  if (s.phase === 'withdrawing') return recordEnd(s, 'returning');
  if (s.phase !== 'committing') return;
  s.instants.commitRecordedNs = s.nowNs;
  sendFinal(s);
}

function sendFinal(s: SourceState): void {
  s.instants.finalSentNs = s.nowNs;
  s.enter('committed', s.options.timers.startedNs);
  const missing = s.missing!;
  s.send({
    type: 'final',
    migrationId: s.options.migrationId,
    epoch: s.options.epoch,
    round: s.round,
    pages: s.sentPages,
    state: s.state!.bytes,
    stateHash: s.state!.hash,
    setHash: s.setHash,
    missing: encodePageSet(missing),
  });
  if (missing.next(0) >= 0) serve(s, missing, s.hot);
  // Frames held so far follow FINAL: before it they would only have delayed it.
  for (const frame of s.frames.frames) forward(s, frame);
  s.finalSent = true;
  s.framesForwarded = s.frames.frames.length;
}

export function lateFrame(s: SourceState, bytes: Uint8Array): void {
  if (bytes.length < ETHERNET_HEADER_BYTES || bytes.length > FRAME_BYTES_MAX) {
    return s.note('VMOTION_LIMIT', `a late frame of ${bytes.length} bytes is dropped`);
  }
  switch (s.phase) {
    case 'pausing':
    case 'saving':
    case 'final-flight':
    case 'committing':
      s.frames.push(bytes);
      break;
    case 'committed':
    case 'in-doubt': {
      const copy = s.frames.push(bytes);
      if (copy === null || !s.finalSent) break;
      forward(s, copy);
      s.framesForwarded++;
      break;
    }
    case 'serving':
    case 'ending':
    case 'proving':
      forward(s, new Uint8Array(bytes));
      break;
    default: // the guest runs here, or the frame came too late to matter
      break;
  }
}

export function started(s: SourceState, m: Started): void {
  const { migrationId, epoch } = s.options;
  if (m.migrationId !== migrationId || m.epoch !== epoch) return unexpected(s, 'started');
  const parts = pausePartsOf(s.instants, m.times);
  const pauseNs = m.times.startedNs - s.instants.pauseCalledNs;
  s.do({
    type: 'report',
    event: { type: 'pause', atNs: s.nowNs, parts, text: `the guest stood for ${formatNs(pauseNs)}` },
  });
  const { asked } = s;
  s.linkIsBack('the guest runs at the destination');
  startedThere(s);
  if (asked) resume(s);
}
