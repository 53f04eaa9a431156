/**
 * The links of a host's vMotion port, as its orders say.
 *
 *   kernel    in the namespace of the vmk interface: kernel TCP, or our own transport over kernel UDP
 *   datagram  no kernel network: our own transport over our own end station
 */
import { enterNetns, type PollSet } from '../sys/index.js';
import { Bbr, type CongestionControl, Cubic, FixedRate } from '../vmotion-protocol/index.js';
import { KernelWire, type LinkPoller, TcpLinks, UdpLinks } from '../vmotion-protocol/transport/index.js';
import type { HostOrders, TransportOrders } from './ipc.js';
import { StationWire } from './station-wire.js';

/** Opens them on the calling thread, which is in the vmk interface's namespace afterwards, if there is one. */
export function openLinks(orders: HostOrders, polls: PollSet): LinkPoller {
  const { vmk, transport } = orders;
  const local = { ip: orders.vmkIp, port: orders.vmotionPort };
  const peer = { ip: orders.peerIp, port: orders.vmotionPort };
  if (vmk.kind === 'kernel') enterNetns(vmk.netnsFd);
  if (transport.kind === 'tcp') return new TcpLinks(polls, local, peer, transport.congestion);
  const wire =
    vmk.kind === 'kernel'
      ? KernelWire.open(polls, local, peer, vmk.mtu)
      : new StationWire(polls, vmk, local, peer);
  return new UdpLinks(wire, {
    congestion: congestionOf(transport),
    ...(transport.rateBps === null ? {} : { rateLimitBps: transport.rateBps }),
    sealed: orders.runKey !== null,
  });
}

function congestionOf(transport: Extract<TransportOrders, { kind: 'udp' }>): () => CongestionControl {
  switch (transport.congestion) {
    case 'bbr':
      return () => new Bbr();
    case 'cubic':
      return () => new Cubic();
    case 'fixed':
      return () => new FixedRate(transport.rateBps);
  }
}
