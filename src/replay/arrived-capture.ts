/**
 * What arrived, as a capture: an interface for each site, stamped by the kernel at arrival, the direction `in`.
 */
import { type CaptureWriter, createCapture } from '../capture/files/index.js';
import { LINK_ETHERNET } from '../capture/index.js';
import { compareClocks } from '../sys/index.js';
import type { FrameBatch } from './batch.js';

export class ArrivedCapture {
  readonly #writer: CaptureWriter;
  /** By direction: what left A (0) arrived at B. */
  readonly #interfaces: readonly [number, number];
  readonly #epochNs: number;

  /** @throws ConfigError CAPTURE_FILE */
  constructor(file: string) {
    const { realtimeSeconds, monotonicNs } = compareClocks();
    this.#epochNs = monotonicNs;
    this.#writer = createCapture(file, { epoch: { seconds: realtimeSeconds, nanoseconds: 0 } });
    const at = (site: string): number =>
      this.#writer.addInterface({
        name: `site-${site}`,
        description: `what arrived at site ${site}`,
        linkType: LINK_ETHERNET,
      });
    this.#interfaces = [at('b'), at('a')];
  }

  write(batch: FrameBatch): void {
    // The two ends were emptied in turn: in a batch their frames stand by stamp again.
    const order = Array.from({ length: batch.count }, (_, i) => i);
    order.sort((x, y) => batch.capturedNs[x]! - batch.capturedNs[y]!);
    for (const i of order) {
      const at = batch.at[i]!;
      this.#writer.write({
        interfaceId: this.#interfaces[batch.direction[i] === 0 ? 0 : 1],
        atNs: batch.capturedNs[i]! - this.#epochNs,
        bytes: batch.bytes.subarray(at, at + batch.length[i]!),
        originalBytes: batch.length[i]!,
        direction: 'in',
      });
    }
  }

  close(): void {
    this.#writer.close();
  }
}
