/**
 * The sockets of a VXLAN port: one that listens, and several that send, since the outer source port tells the
 * flows apart for routers that share load (RFC 7348, section 5).
 */
import { ConfigError } from '../../core/index.js';
import { closeFd, type Endpoint, errnoName, openUdp, setBuffers, setTunnelOptions } from '../../sys/index.js';
import { type L2ErrorCode, MAX_VNI, VXLAN_UDP_PORT } from '../index.js';

/** Sockets that send: flows are spread over as many source ports. A power of two. */
const SENDERS = 16;
/** Dynamic ports, which RFC 7348 recommends: 49152..65535. */
const FIRST_PORT = 49_152;
const PORTS = 16_384;
/** Other owners of ports in this range are skipped; this many in a row mean that something else is wrong. */
const TRIES = 1024;
const MAX_PEERS = 64;
const EADDRINUSE = 98;

export interface VxlanSettings {
  /** 0..2^24 - 1 */
  readonly vni: number;
  /** The tunnel endpoints of the other side: frames for all go to each of them. */
  readonly peers: readonly Endpoint[];
}

export interface VxlanSockets {
  /** Bound to the local address and VXLAN's port. */
  readonly fd: number;
  readonly senderFds: readonly number[];
}

/** @throws ConfigError `L2_VXLAN_RANGE` */
export function checkVxlanSettings({ vni, peers }: VxlanSettings): void {
  const refuse = (text: string, hint: string): never => {
    throw new ConfigError<L2ErrorCode>('L2_VXLAN_RANGE', text, { details: { vni, peers }, hint });
  };
  if (!Number.isInteger(vni) || vni < 0 || vni > MAX_VNI) {
    refuse(`VNI ${vni} is outside 0..${MAX_VNI}`, 'give both ends of the tunnel the same number');
  }
  if (peers.length < 1 || peers.length > MAX_PEERS) {
    refuse(
      `a VXLAN port with ${peers.length} peers; allowed are 1..${MAX_PEERS}`,
      'name the far tunnel endpoint',
    );
  }
}

/**
 * Opens the sockets in the calling thread's network namespace.
 * @param local address to bind (0 for all); the port is VXLAN's 4789 unless the peers have agreed on another
 * @param bufferBytes what may wait in each direction
 */
export function openVxlanSockets(ip: number, bufferBytes: number, port = VXLAN_UDP_PORT): VxlanSockets {
  const fds: number[] = [];
  try {
    const fd = openUdp({ ip, port });
    fds.push(fd);
    let next = process.pid % PORTS;
    for (let tries = 0; fds.length <= SENDERS; next = (next + 1) % PORTS) {
      try {
        fds.push(openUdp({ ip, port: FIRST_PORT + next }));
      } catch (e) {
        if (++tries === TRIES || !inUse(e)) throw e;
      }
    }
    for (const each of fds) {
      setTunnelOptions(each);
      setBuffers(each, bufferBytes);
    }
    return { fd, senderFds: fds.slice(1) };
  } catch (e) {
    for (const fd of fds) closeFd(fd);
    throw e;
  }
}

function inUse(e: unknown): boolean {
  return (e as { code?: string }).code === `SYS_${errnoName(EADDRINUSE)}`;
}
