/**
 * The two buffers of a kernel's TCP that bound what is under way, whatever its congestion control would let go.
 *
 *   program ─► send buffer: all that is not acknowledged in order, held behind holes or not ─► fiber ─► receive window
 *              full: asked for more once a third of it is free (tcp(7), tcp_wmem)             grows by what comes (tcp_rmem)
 *
 * What waits for a slow reader does not shrink the receive window here.
 */

/** tcp_wmem's third figure, 4 MiB, less what the kernel keeps about it. */
const SEND_BUFFER_BYTES = 4_120_000;
const WRITABLE_SHARE = 2 / 3;
/** The window of a connection that has brought nothing yet, and the largest: two thirds of tcp_rmem's third figure, 32 MiB. */
export const FIRST_RECEIVE_WINDOW_BYTES = 65_535;
const RECEIVE_WINDOW_MAX_BYTES = 22_000_000;

/** Whether a program may write. */
export class SendBuffer {
  #isFull = false;

  /** @param bytes in it now */
  takes(bytes: number): boolean {
    if (bytes >= SEND_BUFFER_BYTES) this.#isFull = true;
    else if (bytes <= SEND_BUFFER_BYTES * WRITABLE_SHARE) this.#isFull = false;
    return !this.#isFull;
  }
}

/** What a receiver lets its peer have under way beyond what has come in order: about one byte more for each that comes. */
export class ReceiveWindow {
  bytes = FIRST_RECEIVE_WINDOW_BYTES;

  took(bytes: number): void {
    this.bytes = Math.min(RECEIVE_WINDOW_MAX_BYTES, this.bytes + bytes);
  }
}
