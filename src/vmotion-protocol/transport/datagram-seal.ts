/**
 * The sealing of one UDP connection's datagrams: when it begins, and what is dropped. SPEC.md, "Security".
 *
 *   0      2       3       4            8               14      16
 *   │ 'LU' │ flags │ phase │ connection │ packet number │ round │ frames, encrypted … │ tag 16 │
 *
 * The handshake that makes the keys travels on the connection's own control stream, so its first datagrams are in
 * clear, with zeros for a tag. The acceptor has the last word of the handshake: it seals as soon as it has keys. The
 * opener, whose last flight may be lost and must then be sent again in clear, seals once it has opened a sealed
 * datagram. From its peer's first sealed datagram on a side drops what comes in clear; pages go and are taken only then.
 */
import {
  type DatagramOpener,
  type DatagramPlan,
  type DatagramSealer,
  FLAG_SEALED,
  markSealed,
  PACKET_HEADER_BYTES,
  packetFlags,
  packetNumber,
  sealPhase,
  TAG_BYTES,
} from '../index.js';
import type { Region } from './chain.js';

export interface DatagramKeys {
  readonly sealer: DatagramSealer;
  readonly opener: DatagramOpener;
  /** Whether to seal at once: the acceptor does. */
  readonly sealsFirst: boolean;
  /** A datagram came that was not authentic, or in clear though its peer seals. */
  readonly onForged: () => void;
}

export class DatagramSeal {
  #keys: DatagramKeys | null = null;
  #seals = false;
  #heard = false;

  /** The peer's datagrams are sealed, and ours too. */
  get standing(): boolean {
    return this.#heard;
  }

  give(keys: DatagramKeys): void {
    this.#keys = keys;
    this.#seals = keys.sealsFirst;
  }

  /** Puts the tag behind a datagram that was planned, sealed or not. @param staging the plan's buffer */
  protect(plan: DatagramPlan, staging: Region): void {
    const { view, start } = plan;
    const frames = plan.length - PACKET_HEADER_BYTES;
    plan.take(TAG_BYTES);
    if (!this.#seals) {
      plan.bytes.fill(0, plan.end - TAG_BYTES, plan.end);
      return;
    }
    const { sealer } = this.#keys!;
    markSealed(view, start, true, sealer.phaseFor(frames));
    sealer.seal(staging, start, PACKET_HEADER_BYTES, frames, packetNumber(view, start));
  }

  /**
   * Opens a datagram that has come, in place: then it stands there as if it had been sent in clear.
   * @param view of the same bytes, of which the datagram's begin at `at` @returns false when it is to be dropped
   */
  open(datagram: Region, view: DataView, at: number, length: number): boolean {
    if (length < PACKET_HEADER_BYTES + TAG_BYTES) return false;
    if ((packetFlags(view, at) & FLAG_SEALED) === 0) {
      if (this.#heard) this.#keys!.onForged();
      return !this.#heard;
    }
    if (this.#keys === null) return false;
    const { opener, onForged } = this.#keys;
    const { forged } = opener.counts;
    if (
      opener.open(datagram, at, PACKET_HEADER_BYTES, length, packetNumber(view, at), sealPhase(view, at)) < 0
    ) {
      if (opener.counts.forged > forged) onForged();
      return false;
    }
    markSealed(view, at, false, 0);
    this.#heard = this.#seals = true;
    return true;
  }

  close(): void {
    this.#keys?.sealer.close();
    this.#keys?.opener.close();
  }
}
