/**
 * A bridge's status as Prometheus metrics, and the server that gives them.
 * Source: Prometheus, "Exposition formats" (text 0.0.4) and "Metric and label naming": base units, counters
 * end in `_total`.
 *
 * Every scrape builds its registry anew from one status: the figures of a scrape belong to one instant, and a port
 * that was renamed leaves nothing behind.
 */
import { createServer, type Server } from 'node:http';
import { Counter, Gauge, Registry, Summary } from 'prom-client';
import { ConfigError, NS_PER_S } from '../../core/index.js';
import { bottleneckBps, DIRECTIONS, lossProb, oneWayNs } from '../../fiber/index.js';
import type { BridgeStatus } from './status.js';

/** Of the bridge's own process; the caller measures. */
export interface ProcessFigures {
  readonly cpuSeconds: number;
  readonly residentBytes: number;
}

/** The text of one scrape. */
export function metricsText(status: BridgeStatus, process: ProcessFigures): Promise<string> {
  const registry = new Registry();
  const registers = [registry];
  const counter = (name: string, help: string, labelNames: readonly string[] = []): Counter =>
    new Counter({ name, help, labelNames, registers });
  const gauge = (name: string, help: string, labelNames: readonly string[] = []): Gauge =>
    new Gauge({ name, help, labelNames, registers });

  gauge('longhaul_bridge_info', 'What runs here; always 1.', ['name', 'seed', 'qos', 'spin', 'profile']).set(
    {
      name: status.name,
      seed: status.seed,
      qos: status.qos,
      spin: status.spin,
      profile: status.fiber.profile,
    },
    1,
  );
  gauge('longhaul_uptime_seconds', 'Time since the bridge began.').set(status.uptimeNs / NS_PER_S);

  const present = gauge(
    'longhaul_port_up',
    '1 while the port is there, 0 when it has vanished or was removed.',
    ['port', 'site'],
  );
  const frames = counter(
    'longhaul_port_frames_total',
    'Frames that came in by a port, and that left by it.',
    ['port', 'direction'],
  );
  const bytes = counter('longhaul_port_bytes_total', 'Bytes of those frames, without FCS.', [
    'port',
    'direction',
  ]);
  const drops = counter(
    'longhaul_drops_total',
    'What went no further, where and why: frames at a port or a bridge, wire packets in the fiber.',
    ['where', 'reason'],
  );
  for (const port of status.ports) {
    present.set({ port: port.name, site: port.site }, port.state === 'up' ? 1 : 0);
    frames.inc({ port: port.name, direction: 'in' }, port.framesIn);
    frames.inc({ port: port.name, direction: 'out' }, port.framesOut);
    bytes.inc({ port: port.name, direction: 'in' }, port.bytesIn);
    bytes.inc({ port: port.name, direction: 'out' }, port.bytesOut);
    for (const [reason, n] of Object.entries(port.drops))
      drops.inc({ where: `port ${port.name}`, reason }, n);
  }

  const entries = gauge('longhaul_mac_table_entries', 'Addresses that a bridge knows.', ['site']);
  const moves = counter(
    'longhaul_mac_moves_total',
    'Addresses that were heard on another port than before.',
    ['site'],
  );
  const refused = counter('longhaul_mac_refused_total', 'Addresses not learned because the table was full.', [
    'site',
  ]);
  const flooded = counter('longhaul_bridge_flooded_frames_total', 'Frames that went to every other port.', [
    'site',
  ]);
  const suppressed = counter(
    'longhaul_bridge_suppressed_frames_total',
    'ARP and ND requests that were answered on their own side.',
    ['site'],
  );
  const withheld = counter(
    'longhaul_bridge_withheld_copies_total',
    'Copies of flooded frames that a port was not given, and why.',
    ['site', 'reason'],
  );
  for (const [site, bridge] of Object.entries(status.bridges)) {
    suppressed.inc({ site }, bridge.suppressed);
    for (const [reason, n] of Object.entries(bridge.withheld)) withheld.inc({ site, reason }, n);
    entries.set({ site }, bridge.macs.size);
    moves.inc({ site }, bridge.macs.moved);
    refused.inc({ site }, bridge.macs.refused);
    flooded.inc({ site }, bridge.flooded);
    for (const [reason, n] of Object.entries(bridge.drops)) drops.inc({ where: `bridge ${site}`, reason }, n);
  }

  const packets = counter(
    'longhaul_fiber_packets_total',
    'Wire packets offered to the fiber, delivered by it, and of those the ones it doubled or damaged.',
    ['direction', 'event'],
  );
  const wireBytes = counter(
    'longhaul_fiber_wire_bytes_total',
    'What they take on the wire: preamble, FCS and gap included.',
    ['direction', 'event'],
  );
  const queue = gauge('longhaul_fiber_queue_bytes', 'Wire bytes that wait for the transmitter.', [
    'direction',
  ]);
  const peak = gauge('longhaul_fiber_queue_peak_bytes', 'The most that ever waited in one queue.', [
    'direction',
  ]);
  const inFlight = gauge('longhaul_fiber_in_flight_frames', 'Frames on the transmitter or in the glass.', [
    'direction',
  ]);
  const oneWay = gauge('longhaul_fiber_one_way_seconds', 'The one-way delay that is set.', ['direction']);
  const rate = gauge('longhaul_fiber_rate_bits_per_second', 'The rate that is set; +Inf when unlimited.', [
    'direction',
  ]);
  const loss = gauge('longhaul_fiber_loss_ratio', 'The chance of loss that is set.', ['direction']);
  const link = gauge('longhaul_fiber_link_up', '1 while the link is up in every span.', ['direction']);
  for (const direction of DIRECTIONS) {
    const lane = direction === 'a-b' ? status.lanes.aToB : status.lanes.bToA;
    packets.inc({ direction, event: 'offered' }, lane.offered.packets);
    packets.inc({ direction, event: 'delivered' }, lane.delivered.packets);
    packets.inc({ direction, event: 'duplicated' }, lane.duplicated.packets);
    packets.inc({ direction, event: 'corrupted' }, lane.corrupted.packets);
    wireBytes.inc({ direction, event: 'offered' }, lane.offered.wireBytes);
    wireBytes.inc({ direction, event: 'delivered' }, lane.delivered.wireBytes);
    for (const [reason, tally] of Object.entries(lane.dropped))
      drops.inc({ where: `fiber ${direction}`, reason }, tally.packets);
    queue.set({ direction }, lane.queued.wireBytes);
    peak.set({ direction }, lane.queuePeakBytes);
    inFlight.set({ direction }, lane.inFlight.frames);
    oneWay.set({ direction }, oneWayNs(status.fiber, direction) / NS_PER_S);
    rate.set({ direction }, bottleneckBps(status.fiber, direction));
    loss.set({ direction }, lossProb(status.fiber, direction));
    const up = status.fiber.spans.every((s) => (direction === 'a-b' ? s.aToB : s.bToA).link === 'up');
    link.set({ direction }, up ? 1 : 0);
  }

  latenessSummary(status.lateness, registry);
  counter(
    'longhaul_super_frames_cut_total',
    'Super-frames cut: at the entry because they serialise too long, or around lost packets.',
    ['why'],
  ).inc({ why: 'entry' }, status.cutAtEntry);
  (registry.getSingleMetric('longhaul_super_frames_cut_total') as Counter).inc(
    { why: 'loss' },
    status.cutAroundLoss,
  );
  gauge('longhaul_pool_bytes', 'Memory that the frames in flight have needed at most.').set(status.poolBytes);
  counter('process_cpu_seconds_total', 'CPU time of the bridge, user and system.').inc(process.cpuSeconds);
  gauge('process_resident_memory_bytes', 'Memory of the bridge that is resident.').set(process.residentBytes);
  return registry.metrics();
}

/** The library's Summary observes for itself; this one gives what the fabric has observed. */
function latenessSummary(lateness: BridgeStatus['lateness'], registry: Registry): void {
  const name = 'longhaul_release_lateness_seconds';
  const help = 'How much later than due the fabric released frames, since it began.';
  const summary = new Summary({ name, help, registers: [registry] });
  const quantile = (q: number, ns: number) => ({ labels: { quantile: q }, value: ns / NS_PER_S });
  const values = [
    quantile(0.5, lateness.p50Ns),
    quantile(0.99, lateness.p99Ns),
    quantile(0.999, lateness.p999Ns),
    quantile(1, lateness.maxNs),
    { metricName: `${name}_sum`, labels: {}, value: lateness.sumNs / NS_PER_S },
    { metricName: `${name}_count`, labels: {}, value: lateness.count },
  ];
  Object.assign(summary, { get: async () => ({ name, help, type: 'summary', aggregator: 'sum', values }) });
}

/** Where the metrics are to be given. */
export interface MetricsAddress {
  readonly host: string;
  /** 0 lets the kernel choose. */
  readonly port: number;
}

export class MetricsServer {
  /** `http://127.0.0.1:9464/metrics` */
  readonly url: string;
  readonly #server: Server;

  private constructor(url: string, server: Server) {
    this.url = url;
    this.#server = server;
  }

  /**
   * Serves `GET /metrics` on this address and no other.
   * @throws ConfigError LAB_METRICS_ADDRESS where it cannot be had
   */
  static listen(at: MetricsAddress, scrape: () => Promise<string>): Promise<MetricsServer> {
    const server = createServer((request, response) => {
      const known = request.url === '/metrics';
      if (!known || (request.method !== 'GET' && request.method !== 'HEAD')) {
        response.writeHead(known ? 405 : 404, { 'content-type': 'text/plain', allow: 'GET, HEAD' });
        response.end(known ? 'GET /metrics\n' : 'the metrics are at /metrics\n');
        return;
      }
      scrape().then(
        (text) => {
          response.writeHead(200, { 'content-type': Registry.PROMETHEUS_CONTENT_TYPE });
          response.end(text);
        },
        () => {
          response.writeHead(503, { 'content-type': 'text/plain' });
          response.end('the bridge does not answer\n');
        },
      );
    });
    // A scraper keeps its connection; ending must not wait for it.
    server.keepAliveTimeout = 5000;
    return new Promise((resolve, reject) => {
      server.once('error', (cause: NodeJS.ErrnoException) => {
        reject(
          new ConfigError(
            'LAB_METRICS_ADDRESS',
            `metrics ${at.host}:${at.port} cannot be had (${cause.code})`,
            {
              cause,
              hint: 'give a free port on an address of this machine, such as 127.0.0.1:9464',
            },
          ),
        );
      });
      server.listen(at.port, at.host, () => {
        const { port } = server.address() as { port: number };
        resolve(new MetricsServer(`http://${at.host}:${port}/metrics`, server));
      });
    });
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
