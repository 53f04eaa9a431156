/** What a reader makes of a capture, as lines: what stands beside each sample in captures/. */
import { openCapture } from '../../src/capture/files/index.js';
import { formatInstant } from '../../src/capture/index.js';
import { isLonghaulError } from '../../src/core/index.js';
import { describeFrame } from '../../src/l2/index.js';

/** Reads what can be read. @param shownPath what the lines call the file */
export async function sampleLines(path: string, shownPath: string): Promise<string[]> {
  const lines: string[] = [];
  try {
    const reader = await openCapture(path, { tolerant: true });
    const { format, byteOrder, resolution, comments } = reader.section;
    lines.push([format, `${byteOrder}-endian`, ...(resolution ? [resolution] : []), ...comments].join(', '));
    for await (const batch of reader.batches()) {
      for (const { atNs, interfaceId, direction, packetId, originalBytes, comment, bytes, offset } of batch) {
        const name = reader.interfaces[interfaceId]!.name || '-';
        const id = packetId === null ? '-' : `#${packetId}`;
        const at = formatInstant(reader.epoch!, atNs);
        const words = [`@${offset}`, at, name, direction ?? '-', id, `${bytes.length}/${originalBytes}`];
        lines.push(`${words.join(' ')} ${describeFrame(bytes)}${comment === null ? '' : ` (${comment})`}`);
      }
    }
    for (const { interfaceId, received } of reader.statistics)
      lines.push(`interface ${interfaceId}: ${received} received`);
    const { damage } = reader;
    if (damage !== null) lines.push(`${damage.code} at byte ${damage.offset}: ${damage.text}`);
  } catch (e) {
    if (!isLonghaulError(e)) throw e;
    lines.push(e.line().replace(path, shownPath));
  }
  return lines;
}
