/**
 * A port: where frames enter and leave a bridge.
 *
 * Ownership: `receive` hands each frame to the sink with one reference, which the sink then holds. `send`
 * only reads the frame and is done with it when it returns. Ports never block and never throw on traffic:
 * what cannot be sent is answered, and counted by the caller.
 */
import type { FramePool, PooledFrame } from './frame-pool.js';

/** `busy`: the receiver's queue is full. `gone`: the interface or the peer's descriptor has vanished. */
export type SendResult = 'sent' | 'busy' | 'too-long' | 'gone';

export type FrameSink = (frame: PooledFrame) => void;

export interface FramePort {
  readonly name: string;
  /** The descriptor to wait on for frames. */
  readonly fd: number;
  /**
   * Takes up to `limit` waiting frames.
   * @returns how many; -1 when the port is gone
   */
  receive(pool: FramePool, limit: number, sink: FrameSink): number;
  send(frame: PooledFrame): SendResult;
  close(): void;
}

/** Which kind a descriptor is, as told to the fabric. */
export type PortKind = 'tap' | 'packet' | 'nio-udp';
