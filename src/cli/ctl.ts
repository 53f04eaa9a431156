/**
 * `longhaul ctl`: asks a running bridge. Which one: `--control`, else the only one that runs.
 */
import { describeRecording, type RecordingReport } from '../capture/index.js';
import { ConfigError } from '../core/index.js';
import type { MacSeen } from '../fabric/index.js';
import type { ControlClient } from '../lab/bridge/client.js';
import type { ControlCall, ControlErrorCode } from '../lab/bridge/protocol.js';
import type { FoundBridge } from '../lab/bridge/sockets.js';
import type { BridgeStatus, PortFacts, PortStatus } from '../lab/bridge/status.js';
import { paint } from '../report/index.js';
import { macLines, portLines, statusLines } from './bridge-text.js';
import { EXIT_OK } from './exit-codes.js';

/** What the command needs of the lab; tests give their own. */
export interface CtlContext {
  readonly out: (text: string) => void;
  readonly colour: boolean;
  /** The running bridges of this user. */
  readonly findBridges: () => Promise<readonly FoundBridge[]>;
  /** The socket of a name or a path. */
  readonly socketPath: (nameOrPath: string) => string;
  readonly connect: (path: string) => Promise<ControlClient>;
}

export interface CtlOptions {
  readonly control?: string;
  readonly json?: boolean;
}

/** Asks, and prints the answer. @throws ConfigError LAB_CONTROL_ABSENT, or what the bridge refused */
export async function ctl(call: ControlCall, options: CtlOptions, context: CtlContext): Promise<number> {
  const client = await connect(options.control, context);
  try {
    const result = await client.ask(call);
    const text = options.json ? JSON.stringify(result) : wordsOf(call, result, context.colour).join('\n');
    context.out(`${text}\n`);
    return EXIT_OK;
  } finally {
    client.close();
  }
}

/** The bridge that is meant. @throws ConfigError LAB_CONTROL_ABSENT */
export async function connect(
  control: string | undefined,
  context: Pick<CtlContext, 'findBridges' | 'socketPath' | 'connect'>,
): Promise<ControlClient> {
  if (control !== undefined) {
    const path = context.socketPath(control);
    return context.connect(path).catch((e: unknown) => {
      const { code } = e as NodeJS.ErrnoException;
      if (code !== 'ENOENT' && code !== 'ECONNREFUSED' && code !== 'EACCES' && code !== 'ENOTSOCK') throw e;
      throw absent(
        `no bridge answers at ${path} (${code})`,
        'longhaul ctl without --control finds those of this user',
      );
    });
  }
  const found = await context.findBridges();
  if (found.length === 1) return context.connect(found[0]!.path);
  if (found.length === 0) {
    throw absent(
      'no bridge of this user runs',
      'start one with longhaul bridge CONFIG.yaml, or give --control PATH for one of another user',
    );
  }
  const list = found.map((b) => `${b.name} (process ${b.pid}, ${b.path})`).join(', ');
  throw absent(`${found.length} bridges run: ${list}`, 'choose one with --control NAME or --control PATH');
}

function wordsOf(call: ControlCall, result: unknown, colour: boolean): string[] {
  switch (call.do) {
    case 'show':
      return statusLines(result as BridgeStatus, null, paint(colour));
    case 'ports':
      return portLines(result as PortStatus[]);
    case 'macs':
      return macLines(result as Record<'a' | 'b', MacSeen[]>);
    case 'set': {
      const { fiberLines, warnings } = result as Pick<BridgeStatus, 'fiberLines' | 'warnings'>;
      return [...fiberLines, ...warnings.map((text) => paint(colour).yellow(`warning: ${text}`))];
    }
    case 'add-port': {
      const { name, attach } = result as PortFacts;
      return [`port ${name} added: ${attach}`];
    }
    case 'record':
      return [`recording into ${(result as { recording: string }).recording}`];
    case 'recording': {
      const { path, failure } = result as RecordingReport;
      return [
        failure === null ? `recording into ${path}` : `the recording into ${path} ended early: ${failure}`,
      ];
    }
    case 'stop-recording':
      return [describeRecording(result as RecordingReport)];
    case 'remove-port':
      return [`port ${(result as { removed: string }).removed} removed`];
  }
}

function absent(text: string, hint: string): ConfigError {
  return new ConfigError<ControlErrorCode>('LAB_CONTROL_ABSENT', text, { hint });
}
