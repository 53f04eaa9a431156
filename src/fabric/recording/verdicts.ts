/** What a recording writes beside a frame, read from the actions of the machine that decided about it. */
import type { Frame } from '../../core/index.js';
import type { Deliver, Drop, FiberAction } from '../../fiber/index.js';
import { type BridgeAction, cut } from '../../l2/index.js';
import type { SiteName } from '../messages.js';
import type { FrameTap } from './frame-tap.js';
import type { RecordedReason } from './reasons.js';

/** Why a bridge dropped a frame; null when it did not. @param first where its actions for this frame begin */
export function bridgeVerdict(actions: readonly BridgeAction[], first: number): RecordedReason | null {
  let reason: RecordedReason | null = null;
  for (let i = first; i < actions.length; i++) {
    const action = actions[i]!;
    if (action.type === 'drop') reason = action.reason;
  }
  return reason;
}

/** Why the entry of the fiber refused a frame; null when it took it. */
export function entryVerdict(
  actions: readonly FiberAction[],
  frame: Frame,
  spans: number,
): RecordedReason | null {
  let reason: RecordedReason | null = null;
  for (const action of actions) {
    if (action.type === 'drop' && action.frame === frame && isRefusal(action, spans)) reason = action.reason;
  }
  return reason;
}

/** Whether the entry of the fiber refused it; what is lost later may be told of in the same step, when we are late. */
export function isRefusal({ reason, direction, span }: Drop, spans: number): boolean {
  return reason !== 'loss' && span === (direction === 'a-b' ? 0 : spans - 1);
}

/** Tells of a frame that arrived in part those packets that did not. */
export function tapMissing(
  tap: FrameTap,
  site: SiteName,
  action: Deliver,
  packetId: number,
  refusedByFcs: readonly Frame[],
): void {
  for (const packet of action.lost ?? []) {
    tap.left(site, action.dueNs, cut(action.frame, packet, 1), packetId, 'packet-lost');
  }
  for (const packet of refusedByFcs) tap.left(site, action.dueNs, packet, packetId, 'fcs');
}
