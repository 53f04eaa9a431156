/** The fields of a control message in a few words, for one line. SPEC.md, "Control messages". */
import { formatNs } from '../core/index.js';
import type { Hash64, Message } from '../vmotion-protocol/index.js';

export function messageWords(m: Message): string {
  switch (m.type) {
    case 'offer':
      return (
        `${m.guest} epoch ${m.epoch}, ${m.mode}, ${m.pages} pages of ${m.pageSize}, ${m.streams} stream` +
        `${m.streams === 1 ? '' : 's'}, version ${m.version.major}.${m.version.minor}`
      );
    case 'accept':
      return `${m.mode}, version ${m.version.major}.${m.version.minor}`;
    case 'refuse':
    case 'abort':
    case 'nack':
    case 'reject':
      return `${m.code}: ${m.text}`;
    case 'ping':
    case 'pong':
      return `seq ${m.seq}`;
    case 'round-done':
      return `round ${m.round}, ${m.pages} pages`;
    case 'arm':
      return `round ${m.round} is the last, ${m.left.length} bytes of pages left out`;
    case 'final':
      return (
        `epoch ${m.epoch}, round ${m.round}, ${m.pages} pages, state ${m.state.length} bytes, ` +
        `set-hash ${hash(m.setHash)}, ${m.missing.length} bytes of missing pages`
      );
    case 'started': {
      const { finalReceivedNs, appliedNs, verifiedNs, recordedNs, startedNs } = m.times;
      const parts = [
        `applied ${formatNs(appliedNs - finalReceivedNs)}`,
        `verified ${formatNs(verifiedNs - appliedNs)}`,
        `recorded ${formatNs(recordedNs - verifiedNs)}`,
        `started ${formatNs(startedNs - recordedNs)}`,
      ];
      return `epoch ${m.epoch}; after FINAL came: ${parts.join(', ')}`;
    }
    case 'complete':
    case 'resume':
      return `epoch ${m.epoch}`;
    case 'lacks':
      return `${m.missing.length} bytes of missing pages`;
    case 'frame':
      return `${m.bytes.length} bytes`;
    case 'hashes':
      return `pages ${m.firstPfn}..${m.firstPfn + m.hashes.length / 8 - 1}`;
    case 'answer':
      return m.verdict;
    case 'ready':
    case 'ended':
    case 'ask':
      return '';
  }
}

function hash({ hi, lo }: Hash64): string {
  return hi.toString(16).padStart(8, '0') + lo.toString(16).padStart(8, '0');
}
