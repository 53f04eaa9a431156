/** The destination judges an offer: whether it has a place for this guest, and in which mode it may come. */
import type { DestinationState, Reason } from './destination-state.js';
import { MIGRATION_MODES, type MigrationMode, type Offer, PROTOCOL_VERSION } from './messages.js';
import { agreeOnCodec } from './pipeline/codec.js';

export function offered(s: DestinationState, offer: Offer): void {
  const why = objection(s, offer);
  if (why !== null) return refuse(s, why);
  s.offer = offer;
  s.mode = modeOf(s, offer)!;
  s.minor = Math.min(PROTOCOL_VERSION.minor, offer.version.minor);
  s.codec = agreeOnCodec(offer.codecs, s.options.codecs ?? []);
  s.enter('preparing', s.timers.prepareNs);
  const { migrationId, guest, epoch, pages, streams } = offer;
  const agreed = { mode: s.mode, minor: s.minor, codec: s.codec };
  s.do({ type: 'prepare', migrationId, guest, epoch, pages, streams, ...agreed });
}

/** The mode that an offer gets here, or null. */
function modeOf(s: DestinationState, o: Offer): MigrationMode | null {
  const offered = MIGRATION_MODES.find((mode) => mode === o.mode) ?? null;
  if (s.options.catchesFaults ?? true) return offered;
  return offered === 'post-copy' ? null : offered && 'pre-copy';
}

/** Why this offer cannot be accepted, or null. */
function objection(s: DestinationState, o: Offer): Reason | null {
  const { guest, pages, epochOf, decisionOf } = s.options;
  const { major, minor } = PROTOCOL_VERSION;
  if (o.version.major !== major) {
    const text = `version ${o.version.major}.${o.version.minor} is offered, ${major}.${minor} is spoken here`;
    return { code: 'VMOTION_VERSION', text };
  }
  if (modeOf(s, o) === null) {
    const why = o.mode === 'post-copy' ? 'needs userfaultfd, which this host lacks' : 'is not known';
    return { code: 'VMOTION_MODE', text: `mode ${o.mode} ${why}` };
  }
  if (o.guest !== guest)
    return { code: 'VMOTION_LIMIT', text: `there is no place for a guest ${o.guest} here` };
  if (o.pages !== pages) {
    return { code: 'VMOTION_LIMIT', text: `the place has ${pages} pages, the guest ${o.pages}` };
  }
  if (o.shape !== (s.options.shape ?? '')) {
    const [theirs, ours] = [o.shape, s.options.shape].map((shape) => shape || 'a model');
    return { code: 'VMOTION_SHAPE', text: `the guest is ${theirs}, the place here is for ${ours}` };
  }
  if (o.streams > s.streamsMax) {
    return { code: 'VMOTION_LIMIT', text: `${o.streams} streams; at most ${s.streamsMax} are taken` };
  }
  if (o.stateBytesMax > s.stateBytesMax) {
    const text = `up to ${o.stateBytesMax} bytes of state; at most ${s.stateBytesMax} are taken`;
    return { code: 'VMOTION_LIMIT', text };
  }
  if ((decisionOf?.(o.migrationId) ?? null) !== null) {
    return { code: 'VMOTION_MIGRATION_KNOWN', text: 'this migration was decided here before' };
  }
  const known = epochOf?.(o.guest) ?? null;
  if (known !== null && o.epoch <= known) {
    return {
      code: 'VMOTION_EPOCH_STALE',
      text: `epoch ${o.epoch} is not above ${known}, which is on record`,
    };
  }
  return null;
}

export function refuse(s: DestinationState, { code, text }: Reason): void {
  s.send({ type: 'refuse', code, text });
  if (s.phase === 'preparing') s.do({ type: 'discard' });
  s.finish('refused', code, text);
}

/** Nothing is discarded: nothing was prepared, and what is in that place may be a running guest. */
export function prepareFailed(s: DestinationState, { code, text }: Reason): void {
  s.send({ type: 'refuse', code, text });
  s.finish('refused', code, text);
}

export function accept(s: DestinationState): void {
  s.enter('receiving', s.timers.precopyNs);
  const { major } = PROTOCOL_VERSION;
  s.send({
    type: 'accept',
    version: { major, minor: s.minor },
    storeId: s.options.storeId,
    mode: s.mode,
    codec: s.codec,
  });
}
