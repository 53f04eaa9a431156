/**
 * A bridge that runs on its own: the fabric, the ports of its file, the control socket, the metrics.
 *
 *   file ─► BridgePlan ─► startBridge ─┬─ claim the control socket      (a second bridge of this name is refused)
 *                                      ├─ fabric, then port by port
 *                                      └─ metrics, control socket        ─► RunningBridge ─► stop
 *
 * Whatever was made is unmade in the reverse order, when a step fails as well as at the end.
 */
import { dirname, join } from 'node:path';
import { describeRecording, type RecordingReport } from '../../capture/index.js';
import { ConfigError, type LonghaulError, messageOf } from '../../core/index.js';
import { Fabric, type MacSeen, type RecordingOptions, type SiteName } from '../../fabric/index.js';
import { describeFiber, fiberWarnings, type LaneSettings } from '../../fiber/index.js';
import { closeFd, nowNs } from '../../sys/index.js';
import { laneChangeFrom } from '../config/fiber-keys.js';
import { NamespaceSet } from '../named-netns.js';
import { ControlServer } from './control.js';
import { type BridgePlan, type PlannedPort, portFrom } from './file.js';
import { MetricsServer, metricsText } from './metrics.js';
import { type OpenPort, openPort } from './ports.js';
import type { ControlErrorCode, ControlRequest } from './protocol.js';
import { claimSocket, socketPath } from './sockets.js';
import { type BridgeStatus, type PortFacts, type PortStatus, portStatuses } from './status.js';

/** What happens while it runs; `text` is a line for people. */
export interface BridgeEvent {
  /** `failed`: the fabric itself has ended, nothing is carried any more. */
  readonly type: 'note' | 'warning' | 'port-gone' | 'changed' | 'failed';
  readonly text: string;
}

interface Port {
  readonly planned: PlannedPort;
  readonly open: OpenPort;
  state: PortStatus['state'];
}

/** What `set` and the port requests answer. */
export interface FiberChange {
  readonly fiberLines: readonly string[];
  readonly warnings: readonly string[];
}

export class RunningBridge {
  readonly plan: BridgePlan;
  readonly #onEvent: (event: BridgeEvent) => void;
  readonly #startedNs = nowNs();
  readonly #controlPath: string;
  readonly #namespaces: NamespaceSet;
  readonly #fabric: Fabric;
  /** By name; one that is gone or was removed stays until its name is used again. */
  readonly #ports = new Map<string, Port>();
  #control: ControlServer | null = null;
  #metrics: MetricsServer | null = null;
  /** What is recorded now; with why it ended, where it did so by itself. */
  #recording: { readonly path: string; readonly failure: string | null } | null = null;

  /** Use `startBridge`. */
  constructor(plan: BridgePlan, controlPath: string, onEvent: (event: BridgeEvent) => void) {
    this.plan = plan;
    this.#onEvent = onEvent;
    this.#controlPath = controlPath;
    this.#namespaces = new NamespaceSet(join(dirname(controlPath), `.${plan.name}.netns`));
    const { fiber, timeline, qos, spin, seed, bridge } = plan;
    this.#fabric = new Fabric({
      fiber,
      timeline,
      qos,
      spin,
      seed: String(seed),
      bridge,
      onPortGone: (name) => this.#lose(name),
      onFailure: (e) => onEvent({ type: 'failed', text: `the fabric has ended: ${messageOf(e)}` }),
    });
  }

  async start(): Promise<void> {
    const { plan } = this;
    if (process.env.LONGHAUL_USER_NAMESPACE !== undefined) this.#noteUserNamespace();
    for (const text of fiberWarnings(plan.fiber)) this.#onEvent({ type: 'warning', text });
    for (const port of plan.ports) await this.addPort(port);
    if (plan.metrics !== null) {
      this.#metrics = await MetricsServer.listen(plan.metrics, async () =>
        metricsText(await this.status(), processFigures()),
      );
    }
    this.#control = await ControlServer.listen(this.#controlPath, plan.name, (request) =>
      this.#carryOut(request),
    );
  }

  /** Where the control socket is. */
  get control(): string {
    return this.#controlPath;
  }

  get metrics(): string | null {
    return this.#metrics?.url ?? null;
  }

  /** For each namespace that has ports, the words before a command that is to run inside it. */
  get enterCommands(): ReadonlyMap<string, string> {
    const commands = new Map<string, string>();
    for (const { planned, open, state } of this.#ports.values()) {
      if (state !== 'removed' && open.enter !== null) commands.set(planned.netns!, open.enter);
    }
    return commands;
  }

  async status(): Promise<BridgeStatus> {
    const { name, seed, qos, spin } = this.plan;
    const snapshot = await this.#fabric.snapshot();
    return {
      name,
      pid: process.pid,
      uptimeNs: nowNs() - this.#startedNs,
      seed,
      qos,
      spin,
      control: this.#controlPath,
      metrics: this.metrics,
      fiber: snapshot.fiberSettings,
      fiberLines: describeFiber(snapshot.fiberSettings),
      warnings: fiberWarnings(snapshot.fiberSettings),
      lanes: snapshot.fiber,
      ports: portStatuses([...this.#ports.values()].map(factsOf), snapshot),
      bridges: snapshot.bridges,
      lateness: { ...snapshot.lateness, sumNs: snapshot.latenessSumNs },
      cutAtEntry: snapshot.cutAtEntry,
      cutAroundLoss: snapshot.cutAroundLoss,
      poolBytes: snapshot.poolBytes,
    };
  }

  macs(limit: number): Promise<Readonly<Record<SiteName, readonly MacSeen[]>>> {
    return this.#fabric.macs(limit);
  }

  /** Changes the fiber. @param span counted from site A; left out, all of them @throws ConfigError LAB_CONTROL_ABSENT */
  async change(
    direction: 'a-b' | 'b-a' | 'both',
    span: number | undefined,
    set: Partial<LaneSettings>,
  ): Promise<FiberChange> {
    const spans = this.plan.fiber.spans.length;
    if (span !== undefined && span >= spans) {
      throw absent(
        `span ${span} is none: the fiber has ${spans}`,
        `give one in 0..${spans - 1}, or leave it out for all`,
      );
    }
    await this.#fabric.changeFiber(direction, set, span);
    const { fiberSettings } = await this.#fabric.snapshot();
    const fiberLines = describeFiber(fiberSettings);
    this.#onEvent({ type: 'changed', text: `fiber changed: ${fiberLines.join('; ')}` });
    return { fiberLines, warnings: fiberWarnings(fiberSettings) };
  }

  /** @throws ConfigError LAB_PORT_NAME when one of this name is up; EnvironmentError LAB_PORT_OPEN */
  async addPort(planned: PlannedPort): Promise<void> {
    if (this.#ports.get(planned.name)?.state === 'up') {
      throw new ConfigError('LAB_PORT_NAME', `port ${planned.name} is there already`, {
        hint: 'give it another name, or remove that one first',
      });
    }
    const open = openPort(planned, this.#namespaces);
    try {
      await this.#fabric.addPort(open.spec);
    } catch (e) {
      for (const fd of [open.spec.fd, ...(open.spec.vxlan?.senderFds ?? [])]) closeFd(fd);
      open.leave();
      throw e;
    }
    const before = this.#ports.get(planned.name);
    if (before?.state === 'gone') before.open.leave();
    this.#ports.set(planned.name, { planned, open, state: 'up' });
    if (open.note !== null) this.#onEvent({ type: 'note', text: `port ${planned.name}: ${open.note}` });
  }

  /** @throws ConfigError LAB_CONTROL_ABSENT */
  async removePort(name: string): Promise<void> {
    const port = this.#ports.get(name);
    if (port === undefined || port.state === 'removed') {
      const names = [...this.#ports.values()].flatMap((p) => (p.state === 'removed' ? [] : [p.planned.name]));
      throw absent(
        `there is no port ${name}`,
        names.length === 0 ? 'none is there' : `the ports are ${names.join(', ')}`,
      );
    }
    if (port.state === 'up') await this.#fabric.removePort(name);
    port.state = 'removed';
    port.open.leave();
  }

  /** Records what passes, until it is ended. @throws ConfigError CAPTURE_… ; FABRIC_RECORDING when there is one already */
  async record(options: RecordingOptions): Promise<void> {
    const { name, seed, fiber } = this.plan;
    const comments = [
      `longhaul bridge ${name}, seed ${seed}`,
      ...describeFiber(fiber),
      JSON.stringify(this.plan),
    ];
    await this.#fabric.record({ ...options, comments }, (failure) => {
      this.#recording = { path: options.path, failure };
      this.#onEvent({ type: 'warning', text: `the recording ended early: ${failure}` });
    });
    this.#recording = { path: options.path, failure: null };
    this.#onEvent({ type: 'changed', text: `recording into ${options.path}` });
  }

  /** Ends the recording. @throws ConfigError LAB_CONTROL_ABSENT */
  async stopRecording(): Promise<RecordingReport> {
    const report = await this.#fabric.stopRecording();
    if (report === null) throw nothingRecorded();
    this.#recording = null;
    this.#onEvent({ type: 'changed', text: describeRecording(report) });
    return report;
  }

  /** Takes everything away that was made. Never throws: what cannot be removed is noted. */
  async stop(): Promise<void> {
    const quietly = async (work: Promise<unknown> | undefined): Promise<void> => {
      await work?.catch((e: unknown) => this.#onEvent({ type: 'note', text: messageOf(e) }));
    };
    await quietly(this.#control?.close());
    await quietly(this.#metrics?.close());
    await quietly(
      this.#fabric.stopRecording().then((report) => {
        if (report !== null) this.#onEvent({ type: 'note', text: describeRecording(report) });
      }),
    );
    await quietly(this.#fabric.stop());
    for (const port of this.#ports.values()) if (port.state !== 'removed') port.open.leave();
    this.#ports.clear();
  }

  /** As an ordinary user the bridge has a network of its own: what listens there is not on the host's. */
  #noteUserNamespace(): void {
    const { ports, metrics } = this.plan;
    const listens = [
      ...ports.flatMap(({ attach, netns }) => (netns === null && 'listen' in attach ? [attach.listen] : [])),
      ...(metrics === null ? [] : [metrics]),
    ];
    const enter = `nsenter -t ${process.pid} -U --preserve-credentials -n`;
    const where = listens.map(({ host, port }) => `${host}:${port}`).join(' and ');
    const text = `this bridge runs in a user namespace with a network of its own: enter it by \`${enter}\``;
    this.#onEvent({ type: 'note', text: listens.length === 0 ? text : `${text}; only there is ${where}` });
  }

  #lose(name: string): void {
    const port = this.#ports.get(name);
    if (port === undefined || port.state !== 'up') return;
    port.state = 'gone'; // its namespace stays: somebody may be at work in there
    const text = `port ${name} has vanished (${port.open.attach}); the others go on`;
    this.#onEvent({ type: 'port-gone', text });
  }

  async #carryOut(request: ControlRequest): Promise<unknown> {
    switch (request.do) {
      case 'show':
        return this.status();
      case 'ports':
        return (await this.status()).ports;
      case 'macs':
        return this.macs(request.limit);
      case 'set':
        return this.change(request.direction, request.span, laneChangeFrom(request.lane));
      case 'add-port': {
        const planned = portFrom(request.port, this.plan.bridge.vlanAware ?? false);
        await this.addPort(planned);
        this.#onEvent({ type: 'changed', text: `port ${planned.name} added` });
        return factsOf(this.#ports.get(planned.name)!);
      }
      case 'record':
        await this.record(request.recording as RecordingOptions);
        return { recording: request.recording.path };
      case 'recording':
        if (this.#recording === null) throw nothingRecorded();
        return this.#recording;
      case 'stop-recording':
        return this.stopRecording();
      case 'remove-port':
        await this.removePort(request.name);
        this.#onEvent({ type: 'changed', text: `port ${request.name} removed` });
        return { removed: request.name };
    }
  }
}

/**
 * Starts a bridge; when it cannot be, nothing is left of it.
 * @param capture what is recorded from its first port on
 * @throws ConfigError, EnvironmentError
 */
export async function startBridge(
  plan: BridgePlan,
  onEvent: (event: BridgeEvent) => void,
  capture?: RecordingOptions,
): Promise<RunningBridge> {
  const controlPath = socketPath(plan.control);
  await claimSocket(controlPath);
  const bridge = new RunningBridge(plan, controlPath, onEvent);
  try {
    if (capture !== undefined) await bridge.record(capture);
    await bridge.start();
    return bridge;
  } catch (e) {
    await bridge.stop();
    throw e;
  }
}

function factsOf({ planned: { name, site, role }, open, state }: Port): PortFacts {
  return { name, site, role, attach: open.attach, state };
}

function nothingRecorded(): ConfigError {
  return absent('nothing is recorded', 'begin with longhaul capture record FILE');
}

function absent(text: string, hint: string): LonghaulError {
  return new ConfigError<ControlErrorCode>('LAB_CONTROL_ABSENT', text, { hint });
}

function processFigures(): { cpuSeconds: number; residentBytes: number } {
  const { user, system } = process.cpuUsage();
  return { cpuSeconds: (user + system) / 1e6, residentBytes: process.memoryUsage.rss() };
}
