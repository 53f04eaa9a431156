/**
 * The far end of a NIO-UDP port for code that lives on an event loop: clients in the `loopback` attach,
 * and any program that wants a port of the bridge. Built on `node:dgram`.
 */
import { createSocket, type Socket } from 'node:dgram';

export class NioUdpLink {
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  /**
   * Adopts an inherited, unconnected UDP socket and fixes its peer.
   * @param fd a bound UDP descriptor; the link owns it
   * @param peerPort the fabric's port on 127.0.0.1
   * @param onFrame called with each frame; the bytes are the callee's to keep
   */
  static adopt(fd: number, peerPort: number, onFrame: (frame: Uint8Array) => void): Promise<NioUdpLink> {
    const socket = createSocket('udp4');
    return new Promise((resolve, reject) => {
      socket.once('error', reject);
      socket.bind({ fd }, () => {
        socket.connect(peerPort, '127.0.0.1', () => {
          socket.off('error', reject);
          // ECONNREFUSED while the fabric is gone: the run is ending, the lab says so.
          socket.on('error', () => {});
          socket.on('message', onFrame);
          resolve(new NioUdpLink(socket));
        });
      });
    });
  }

  send(frame: Uint8Array): void {
    this.#socket.send(frame);
  }

  close(): void {
    this.#socket.close();
  }
}
