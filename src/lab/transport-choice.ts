/** Which transport moves take, and how fast they may go: what was asked for, and what the attach can do. */
import { EnvironmentError } from '../core/index.js';
import type { TransportOrders } from '../host/index.js';
import type { AttachKind } from './attach.js';
import type { Experiment } from './config/experiment.js';

type Asked = Pick<Experiment['migration'], 'transport' | 'congestion' | 'rateBps' | 'fec'>;

/**
 * @param attach as it was chosen, which with `auto` is known only now
 * @throws EnvironmentError LAB_NO_TCP when TCP was asked for and hosts have no kernel network
 */
export function transportOrders(asked: Asked, attach: AttachKind): TransportOrders {
  const { congestion, rateBps, fec } = asked;
  const kind = asked.transport !== 'auto' ? asked.transport : defaultTransport(congestion, attach);
  if (kind === 'tcp') {
    if (attach === 'loopback') {
      throw new EnvironmentError(
        'LAB_NO_TCP',
        'TCP needs a kernel network, and no network namespaces can be made here',
        { hint: 'use --transport udp, or run where `unshare -Urn true` works' },
      );
    }
    return { kind, congestion: congestion === 'auto' ? null : congestion, rateBps };
  }
  // That fixed comes with a rate was seen to when the experiment was read.
  if (congestion === 'fixed') return { kind, congestion, rateBps: rateBps!, fec };
  return { kind, congestion: congestion === 'auto' ? 'bbr' : congestion, rateBps, fec };
}

/** Only our own transport has a fixed rate. */
function defaultTransport(congestion: Asked['congestion'], attach: AttachKind): 'tcp' | 'udp' {
  return attach === 'loopback' || congestion === 'fixed' ? 'udp' : 'tcp';
}
