/** A guest on a NIO-UDP port: a UDP socket whose datagrams are frames, as QEMU's `-netdev dgram` is one. */
import { createSocket, type Socket } from 'node:dgram';

export class UdpGuest {
  readonly port: number;
  readonly #socket: Socket;
  readonly #mac: number;
  readonly #heard: Buffer[] = [];
  #wake: (() => void) | null = null;

  private constructor(socket: Socket, mac: number) {
    this.#socket = socket;
    this.#mac = mac;
    this.port = socket.address().port;
    socket.on('message', (frame) => {
      this.#heard.push(frame);
      this.#wake?.();
    });
    socket.on('error', () => {});
  }

  /** @param mac last octet of its address */
  static open(mac: number): Promise<UdpGuest> {
    const socket = createSocket('udp4');
    return new Promise((resolve) => socket.bind(0, '127.0.0.1', () => resolve(new UdpGuest(socket, mac))));
  }

  /** A free port, for the other end of a link. */
  static async freePort(): Promise<number> {
    const guest = await UdpGuest.open(0);
    guest.close();
    return guest.port;
  }

  /** Sends one frame of 64 bytes with `tag` as its payload. */
  send(toPort: number, toMac: number, tag: number): void {
    const frame = Buffer.alloc(64);
    Buffer.from([2, 0, 0, 0, 0, toMac, 2, 0, 0, 0, 0, this.#mac, 0x88, 0xb5]).copy(frame);
    frame.writeUInt32BE(tag, 14);
    this.#socket.send(frame, toPort, '127.0.0.1');
  }

  /** The tags heard so far, once there are `count` of them or the time is over. */
  async tags(count: number, limitMs = 5000): Promise<number[]> {
    const until = Date.now() + limitMs;
    while (this.#heard.length < count && Date.now() < until) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, until - Date.now());
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return this.#heard.splice(0).map((frame) => frame.readUInt32BE(14));
  }

  close(): void {
    this.#socket.close();
  }
}
