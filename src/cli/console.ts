/** `longhaul console`: this terminal on the serial line of a run's machine. */
import type { ReadStream, WriteStream } from 'node:tty';
import type { AttachedConsole } from '../lab/console.js';
import { EXIT_OK } from './exit-codes.js';

export interface ConsoleTyped {
  /** A run's directory, in place of the one run that has a console. */
  readonly run?: string;
}

export interface ConsoleContext {
  readonly stdin: NodeJS.ReadableStream & Partial<Pick<ReadStream, 'isTTY' | 'setRawMode'>>;
  readonly stdout: Pick<WriteStream, 'write'>;
  readonly stderr: Pick<WriteStream, 'write'>;
  readonly attach: (path: string) => AttachedConsole;
  readonly consoleOf: (directories: readonly string[]) => string;
  readonly runDirectories: () => string[];
}

/** Ctrl-], as telnet and virsh have it. */
const DETACH = 0x1d;

/** @returns the exit code, when the run has ended or the user has detached */
export async function consoleCommand(typed: ConsoleTyped, context: ConsoleContext): Promise<number> {
  const { stdin, stdout, stderr } = context;
  const path = context.consoleOf(typed.run === undefined ? context.runDirectories() : [typed.run]);
  const line = context.attach(path);
  const end = new AbortController();
  stderr.write('attached; Ctrl-] leaves\n');
  // What is typed goes to the machine as it is, Ctrl-C too.
  stdin.setRawMode?.(true);
  stdin.on('data', (data: Buffer | string) => {
    const bytes = Buffer.from(data);
    const detach = stdin.isTTY === true ? bytes.indexOf(DETACH) : -1;
    if (!line.type(detach < 0 ? bytes : bytes.subarray(0, detach)))
      stderr.write('\nthe machine does not read what is typed\n');
    if (detach >= 0) end.abort();
  });
  try {
    await line.follow({ print: (bytes) => stdout.write(bytes), signal: end.signal });
  } finally {
    stdin.setRawMode?.(false);
    stdin.pause();
  }
  stderr.write(end.signal.aborted ? '\ndetached\n' : '\nthe run has ended\n');
  return EXIT_OK;
}
