/** Two UDP sockets on 127.0.0.1 for the two ends of a NIO-UDP port, opened before either end's owner exists. */
import { closeFd, connectUdp, localEndpoint, openUdp, setBuffers } from '../../sys/index.js';

const LOOPBACK = 0x7f000001;

export interface NioUdpPair {
  /** The fabric's end, connected to the far end. */
  readonly fabricFd: number;
  readonly fabricPort: number;
  /** The far end, bound; connect it to `fabricPort` (it is left unconnected so that `node:dgram` can adopt it). */
  readonly farFd: number;
  readonly farPort: number;
}

/** @param bufferBytes socket buffer of each end: the frames that may wait while its owner does something else */
export function openNioUdpPair(bufferBytes: number): NioUdpPair {
  const fabricFd = openUdp({ ip: LOOPBACK, port: 0 });
  try {
    const farFd = openUdp({ ip: LOOPBACK, port: 0 });
    const fabricPort = localEndpoint(fabricFd).port;
    const farPort = localEndpoint(farFd).port;
    connectUdp(fabricFd, { ip: LOOPBACK, port: farPort });
    setBuffers(fabricFd, bufferBytes);
    setBuffers(farFd, bufferBytes);
    return { fabricFd, fabricPort, farFd, farPort };
  } catch (e) {
    closeFd(fabricFd);
    throw e;
  }
}
