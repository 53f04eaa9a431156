/** Frames for the guest that reach the destination during the move: kept until it runs, each handed on once. Rule 5. */
import { type DestinationState, NEVER_NS } from './destination-state.js';
import type { FramePath } from './late-frames.js';

/** Buffers until the guest runs, drops copies that came both ways, then hands on. */
export function frame(s: DestinationState, path: FramePath, bytes: Uint8Array): void {
  if (s.decision === 'NEVER' || s.phase === 'renouncing') return;
  const isGroup = (bytes[0]! & 1) !== 0;
  // A unicast frame at this port is a flooded one, so the source's port has it too. Before FINAL it is not needed
  // here: the guest there has taken it, or stands already. What is forwarded before FINAL, as a source in doubt
  // may, follows FINAL once more.
  if (!isGroup && s.final === null && !s.started) return;
  if (!isGroup && !s.filter.accept(s.nowNs, path, bytes)) return;
  if (s.started) s.do({ type: 'inject-frame', bytes: new Uint8Array(bytes) });
  else if (s.ready) s.frames.push(bytes);
}

export function nicDirect(s: DestinationState): void {
  s.nicDirectNs = NEVER_NS;
  const { counts } = s.frames;
  const { duplicates } = s.filter;
  const text = `${counts.in} frames kept for the guest, ${counts.dropped} dropped, ${duplicates} came twice`;
  s.do({ type: 'report', event: { type: 'late-frames', atNs: s.nowNs, counts, duplicates, text } });
  s.do({ type: 'nic-direct' });
}
