/**
 * The two ways a client's requests reach the guest.
 *
 *   KernelWire  this process lives in the client's namespace: node:dgram and raw-socket, kernel ARP, UDP and ICMP
 *   PortWire    our own end station on a NIO-UDP port of the bridge
 */
import { createSocket, type Socket } from 'node:dgram';
import {
  decodeIcmp,
  EndStation,
  formatIpv4,
  ICMP_HEADER_BYTES,
  type StationAction,
  writeEcho,
} from '../../l2/index.js';
import { NioUdpLink } from '../../l2/ports/index.js';
import { droppedAtSocket, nowNs, openUdp, setBuffers } from '../../sys/index.js';
import type { PortAttach } from './protocol.js';
import { rawSocketBuilt } from './raw-socket.js';

export interface WireHandlers {
  onDatagram(atNs: number, payload: Uint8Array): void;
  onEcho(atNs: number, id: number, seq: number, payload: Uint8Array): void;
}

export interface Wire {
  /** How echo requests travel; null when this wire has no ICMP here. */
  readonly icmp: 'raw-socket' | 'bridge-port' | null;
  /** Why there is no ICMP, or what else a reader should know. */
  readonly note: string | null;
  sendDatagram(ip: number, port: number, payload: Uint8Array): void;
  /** @param onSend called just before the request leaves: the package queues it for the next turn of the loop */
  sendEcho(ip: number, id: number, seq: number, payload: Uint8Array, onSend?: () => void): void;
  /** Datagrams that had come and that this machine's kernel dropped, since the client had not taken those before. */
  dropped(): number;
  close(): void;
}

/** The part of the package `raw-socket` that is used here. */
interface RawSocket {
  on(event: 'message', listener: (buffer: Buffer, source: string) => void): void;
  on(event: 'error', listener: (error: Error) => void): void;
  send(
    buffer: Buffer,
    offset: number,
    length: number,
    address: string,
    before: () => void,
    done: (error: Error | null) => void,
  ): void;
  close(): void;
}
interface RawSocketModule {
  createSocket(options: { protocol: number; bufferSize: number }): RawSocket;
  readonly Protocol: { readonly ICMP: number };
}

/** A connected service socket never learns of a guest that stands still: errors are the ledger's business. */
const IGNORE = (): void => {};
/**
 * A guest that stood for a second answers a second of requests at once. By default a socket holds some 250 answers,
 * and what a client that is not scheduled at that moment does not take is lost.
 */
const SOCKET_BYTES = 4 * 2 ** 20;

/** Opens a wire on this process's own namespace. @param echo takes over ICMP where raw-socket is not built */
export async function openKernelWire(handlers: WireHandlers, echo: PortAttach | null): Promise<Wire> {
  const fd = openUdp({ ip: 0, port: 0 });
  setBuffers(fd, SOCKET_BYTES);
  const socket: Socket = createSocket('udp4');
  socket.on('message', (payload) => handlers.onDatagram(nowNs(), payload));
  socket.on('error', IGNORE);
  await new Promise<void>((resolve) => socket.bind({ fd }, resolve));
  let raw: RawSocket | null = null;
  let note: string | null = null;
  try {
    if (!rawSocketBuilt()) throw new Error('the package is not built here');
    const module = (await import('raw-socket' as string)) as { default: RawSocketModule };
    raw = module.default.createSocket({ protocol: module.default.Protocol.ICMP, bufferSize: 65_536 });
    raw.on('error', IGNORE);
    raw.on('message', (buffer) => {
      const at = nowNs();
      const headerBytes = (buffer[0]! & 15) * 4; // a raw socket hands over the IPv4 header too
      const icmp = decodeIcmp(buffer, headerBytes, buffer.length);
      if (!icmp.ok || icmp.value.kind !== 'echo-reply') return;
      const { id, seq, payloadAt, payloadEnd } = icmp.value;
      // The package reuses its buffer: the payload is read before this returns.
      handlers.onEcho(at, id, seq, buffer.subarray(payloadAt, payloadEnd));
    });
  } catch (e) {
    note = `no ICMP sessions by raw-socket: ${(e as Error).message.split('\n')[0]}`;
  }
  if (raw === null && echo !== null) {
    const port = await openPortWire(echo, handlers);
    return {
      icmp: port.icmp,
      note: 'ICMP by our own codec on a bridge port: the package raw-socket is not built here',
      sendDatagram: (ip, udpPort, payload) =>
        socket.send(Buffer.from(payload), udpPort, formatIpv4(ip), IGNORE),
      sendEcho: (...request) => port.sendEcho(...request),
      dropped: () => droppedAtSocket(fd) + port.dropped(),
      close: () => {
        socket.close();
        port.close();
      },
    };
  }
  return {
    icmp: raw === null ? null : 'raw-socket',
    note,
    sendDatagram: (ip, port, payload) => socket.send(Buffer.from(payload), port, formatIpv4(ip), IGNORE),
    sendEcho: (ip, id, seq, payload, onSend = IGNORE) => {
      const message = Buffer.alloc(ICMP_HEADER_BYTES + payload.length);
      message.set(payload, ICMP_HEADER_BYTES);
      writeEcho(message, 0, message.length, 'echo-request', id, seq);
      raw?.send(message, 0, message.length, formatIpv4(ip), onSend, IGNORE);
    },
    dropped: () => droppedAtSocket(fd),
    close: () => {
      socket.close();
      raw?.close();
    },
  };
}

/** How often the end station's own timers (ARP retries) are looked at. */
const STATION_TICK_MS = 100;
const SERVICE_SOURCE_PORT = 40_000;

/** Opens a wire on a port of the bridge. */
export async function openPortWire(attach: PortAttach, handlers: WireHandlers): Promise<Wire> {
  const station = new EndStation({ mac: attach.mac, ip: attach.ip, mtu: 1500 });
  const actions: StationAction[] = [];
  const link = await NioUdpLink.adopt(attach.fd, attach.fabricUdpPort, (bytes) => {
    const at = nowNs();
    station.step(at, { type: 'frame-received', bytes }, actions);
    carryOut(at);
  });
  function carryOut(atNs: number): void {
    for (const action of actions) {
      if (action.type === 'send') link.send(action.bytes);
      else if (action.type === 'udp-received') handlers.onDatagram(atNs, action.payload);
      else if (action.type === 'echo-reply-received')
        handlers.onEcho(atNs, action.id, action.seq, action.payload);
    }
    actions.length = 0;
  }
  const tick = setInterval(() => {
    const now = nowNs();
    if (station.nextWakeNs() > now) return;
    station.step(now, { type: 'woke' }, actions);
    carryOut(now);
  }, STATION_TICK_MS);
  return {
    icmp: 'bridge-port',
    note: null,
    sendDatagram: (ip, port, payload) => {
      const now = nowNs();
      station.step(
        now,
        { type: 'udp-requested', to: { ip, port }, fromPort: SERVICE_SOURCE_PORT, payload },
        actions,
      );
      carryOut(now);
    },
    sendEcho: (ip, id, seq, payload, onSend) => {
      onSend?.();
      const now = nowNs();
      station.step(now, { type: 'echo-requested', to: ip, id, seq, payload }, actions);
      carryOut(now);
    },
    dropped: () => droppedAtSocket(attach.fd),
    close: () => {
      clearInterval(tick);
      link.close();
    },
  };
}
