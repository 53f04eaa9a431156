/**
 * Announces a guest that has just started here, and falls silent the moment it stands again: an announcement
 * that comes after the guest has left would draw its traffic to the wrong site.
 */
import { WOKE } from '../core/index.js';
import { type AnnounceAction, type AnnounceEvent, Announcer } from '../l2/index.js';
import { nowNs, sendBytes } from '../sys/index.js';
import { newRegion } from '../vmotion-protocol/transport/index.js';

const FRAME_BYTES = 2048;

export class Announcements {
  readonly #guest: { readonly mac: number; readonly ip: number };
  readonly #nicFd: number;
  readonly #frame = newRegion(FRAME_BYTES);
  readonly #actions: AnnounceAction[] = [];
  #announcer: Announcer;
  /** When the first frame of the last announcement left; 0 before. */
  firstSentNs = 0;

  constructor(guest: { readonly mac: number; readonly ip: number }, nicFd: number) {
    this.#guest = guest;
    this.#nicFd = nicFd;
    this.#announcer = new Announcer(guest);
  }

  nextWakeNs(): number {
    return this.#announcer.nextWakeNs();
  }

  /** The first round leaves before this returns. */
  start(): void {
    this.#announcer = new Announcer(this.#guest);
    this.firstSentNs = 0;
    this.#step({ type: 'guest-started' });
  }

  cancel(): void {
    this.#step({ type: 'announce-cancelled' });
  }

  service(): void {
    if (this.#announcer.nextWakeNs() <= nowNs()) this.#step(WOKE);
  }

  #step(event: AnnounceEvent): void {
    this.#announcer.step(nowNs(), event, this.#actions);
    for (const { bytes } of this.#actions) {
      this.#frame.bytes.set(bytes);
      sendBytes(this.#nicFd, this.#frame.address, bytes.length);
      if (this.firstSentNs === 0) this.firstSentNs = nowNs();
    }
    this.#actions.length = 0;
  }
}
