/**
 * Where a replay goes: through a fabric of its own between the two sites, or out of one place.
 *
 *   fabric                     both sites' ports on NIO-UDP sockets with stamps; what arrives is told apart
 *   tap:NAME                   a TAP that is made for the replay
 *   interface:NAME             AF_PACKET on an interface that is there
 *   nio-udp:HOST:PORT          one datagram, one frame
 *   raw-ip                     IPv4 packets by `raw-socket` (raw-ip.ts): the kernel routes them
 */
import { ConfigError, EnvironmentError, isLonghaulError, messageOf } from '../core/index.js';
import { parseIpv4 } from '../l2/index.js';
import { bringUp, connectUdp, openPacket, openTap, openUdp, setBuffers } from '../sys/index.js';
import type { ReplayErrorCode } from './errors.js';
import type { SendingEnd } from './messages.js';

export type Target =
  | { readonly kind: 'fabric' }
  | { readonly kind: 'tap' | 'interface'; readonly device: string }
  | { readonly kind: 'nio-udp'; readonly ip: number; readonly port: number }
  | { readonly kind: 'raw-ip' };

const BUFFER_BYTES = 16 * 2 ** 20;
const HINT = 'write fabric, tap:NAME, interface:NAME, nio-udp:HOST:PORT or raw-ip';

/** @throws ConfigError REPLAY_TARGET */
export function parseTarget(text: string): Target {
  if (text === 'fabric' || text === 'raw-ip') return { kind: text };
  const [kind, ...rest] = text.split(':');
  if ((kind === 'tap' || kind === 'interface') && rest.length === 1 && /^[^\s/]{1,15}$/.test(rest[0]!)) {
    return { kind, device: rest[0]! };
  }
  if (kind === 'nio-udp' && rest.length === 2 && /^\d{1,5}$/.test(rest[1]!)) {
    const port = Number(rest[1]);
    if (port >= 1 && port <= 65_535) return { kind, ip: parseIpv4(rest[0]!, '--to'), port };
  }
  throw new ConfigError<ReplayErrorCode>(
    'REPLAY_TARGET',
    `--to ${JSON.stringify(text)} is no place to send to`,
    {
      details: { text },
      hint: HINT,
    },
  );
}

/** What a target is called. */
export function describeTarget(target: Target): string {
  switch (target.kind) {
    case 'fabric':
      return 'through the fabric';
    case 'raw-ip':
      return 'as IPv4 packets of this machine';
    case 'nio-udp':
      return `out of NIO-UDP to port ${target.port}`;
    default:
      return `out of ${target.kind} ${target.device}`;
  }
}

/** Opens a place to send to; the descriptor is the caller's. @throws EnvironmentError REPLAY_TARGET */
export function openEnd(target: Exclude<Target, { kind: 'fabric' | 'raw-ip' }>): SendingEnd {
  try {
    switch (target.kind) {
      case 'tap': {
        const fd = openTap(target.device, false);
        bringUp(target.device);
        return { fd, headerBytes: 10 };
      }
      case 'interface':
        return { fd: openPacket(target.device, BUFFER_BYTES), headerBytes: 10 };
      case 'nio-udp': {
        const fd = openUdp({ ip: 0, port: 0 });
        setBuffers(fd, BUFFER_BYTES);
        connectUdp(fd, { ip: target.ip, port: target.port });
        return { fd, headerBytes: 0 };
      }
    }
  } catch (cause) {
    const denied = isLonghaulError(cause) && (cause.code === 'SYS_EPERM' || cause.code === 'SYS_EACCES');
    throw new EnvironmentError<ReplayErrorCode>(
      'REPLAY_TARGET',
      `--to ${target.kind}: it cannot be had (${messageOf(cause).split(';')[0]})`,
      { cause, hint: denied ? 'run as root, or replay through the fabric, which needs no privilege' : HINT },
    );
  }
}
