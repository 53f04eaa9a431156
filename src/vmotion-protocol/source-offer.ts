/**
 * The source's first words: the offer, and the round trip that is measured before the first round, by PINGs that leave
 * together: one after the other they would hold the first page up for as many round trips.
 *
 *   idle ─start─► offering ─ACCEPT─► probing ─PONGs─► tracking
 */
import { formatNs, PAGE_SIZE } from '../core/index.js';
import { type Accept, PROTOCOL_VERSION } from './messages.js';
import { isOffered } from './pipeline/codec.js';
import type { SourceState } from './source-state.js';
import { fail } from './source-trouble.js';
import { unexpected } from './source-way-back.js';

export function offer(s: SourceState): void {
  const { migrationId, guest, epoch, pages, streams, storeId } = s.options;
  s.enter('offering', s.options.timers.acceptNs);
  s.send({
    type: 'offer',
    version: PROTOCOL_VERSION,
    migrationId,
    guest,
    epoch,
    mode: s.options.mode,
    pages,
    pageSize: PAGE_SIZE,
    streams,
    storeId,
    stateBytesMax: s.options.stateBytesMax,
    codecs: s.options.codecs,
    shape: s.options.shape ?? '',
  });
}

export function accepted(s: SourceState, m: Accept): void {
  const { major, minor } = m.version;
  if (major !== PROTOCOL_VERSION.major || minor > PROTOCOL_VERSION.minor) {
    const text = `the peer accepts with version ${major}.${minor}, which was not offered`;
    return fail(s, 'VMOTION_VERSION', text);
  }
  const { mode } = s.options;
  if (m.mode !== mode) {
    if (mode !== 'hybrid' || m.mode !== 'pre-copy')
      return fail(s, 'VMOTION_MODE', `the peer accepts mode ${m.mode}, ${mode} was offered`);
    s.note('VMOTION_MODE', 'the destination cannot catch missing pages: pre-copy in place of hybrid');
  }
  if (m.codec !== '' && !isOffered(m.codec, s.options.codecs))
    return fail(s, 'VMOTION_CODEC', `the peer accepts codec ${m.codec}, which was not offered`);
  s.minor = minor;
  s.codec = m.codec;
  s.log.mode = m.mode;
  s.peerStoreId = m.storeId;
  s.enter('probing', s.options.timers.pongNs);
  s.pingNs = s.nowNs;
  for (let seq = 0; seq < s.options.probes; seq++) s.send({ type: 'ping', seq });
}

export function pong(s: SourceState, seq: number): void {
  if (seq !== s.rttsNs.length) return unexpected(s, 'pong');
  s.rttsNs.push(s.nowNs - s.pingNs);
  if (s.rttsNs.length < s.options.probes) return;
  s.log.rttsMeasured(s.rttsNs);
  const { rttMinNs: minNs, rttMedianNs: medianNs } = s.log;
  const text = `round trip ${formatNs(minNs)} at least, ${formatNs(medianNs)} in the median`;
  s.do({ type: 'report', event: { type: 'rtt', atNs: s.nowNs, minNs, medianNs, text } });
  // The harvest before the first round starts the dirty log: what is written from here on is sent again.
  s.enter('tracking', s.options.timers.localNs);
  s.do({ type: 'harvest' });
}
