/**
 * The options of a recording, the same at three places: `run` and `bridge` have them behind `--capture`,
 * `capture record` as they are.
 */
import { type Command, Option } from 'commander';
import { CaptureFilter } from '../capture/index.js';
import { ConfigError, parseDuration, parseSize } from '../core/index.js';
import type { RecordingOptions } from '../fabric/index.js';
import { wholeNumber } from './whole-number.js';

/** commander's options, without the prefix. */
export interface RecordingTyped {
  readonly filter?: string;
  readonly wire?: boolean;
  readonly format?: 'pcapng' | 'pcap-us' | 'pcap-ns';
  readonly snap?: string;
  readonly files?: string;
  readonly fileSize?: string;
  readonly fileTime?: string;
}

const OPTIONS: readonly (readonly [flags: string, text: string])[] = [
  ['filter <expression>', "what is kept: 'site a and (proto arp or ip 10.80.0.0/16) and not dropped'"],
  ['wire', 'super-frames cut into the packets that they stand for'],
  ['format <format>', 'pcapng, pcap-us or pcap-ns (default: pcapng)'],
  ['snap <size>', 'what is kept of each packet: 128B (default: all)'],
  ['file-size <size>', 'go on in a new file NAME_00002 when one is this large'],
  ['file-time <time>', 'go on in a new file after this time'],
  ['files <n>', 'keep the last n files (default: all)'],
];

/** Above them in the help, where the command has other options too. */
const HEAD = 'A recording:';

const SNAP = { min: 64, max: 262_144, text: '64B..256KiB' };
const FILE_SIZE = { min: 65_536, max: 2 ** 50, text: '64KiB and up' };
const FILE_TIME = { min: 1e6, max: 86_400e9 * 30, text: '1ms and up' };

/** Adds them. @param prefix `capture-` where the command has other options too */
export function addRecordingOptions(command: Command, prefix: '' | 'capture-'): Command {
  for (const [flags, text] of OPTIONS) {
    const option = new Option(`--${prefix}${flags}`, text);
    if (prefix !== '') option.helpGroup(HEAD);
    if (flags.startsWith('format')) option.choices(['pcapng', 'pcap-us', 'pcap-ns']);
    command.addOption(option);
  }
  return command;
}

/** Adds `--capture FILE` and what goes with it. */
export function addCaptureOption(command: Command): Command {
  const text = 'record what passes every port and both ends of the fiber; - for a pipe';
  command.addOption(new Option('--capture <file>', text).helpGroup(HEAD));
  return addRecordingOptions(command, 'capture-');
}

/**
 * What `--capture` and its companions ask for; undefined when it was not given.
 * @throws ConfigError of a value, or of a companion that stands alone
 */
export function captureOf(typed: Readonly<Record<string, unknown>>): RecordingOptions | undefined {
  const companions = Object.entries(typed).flatMap(([name, value]) => {
    const bare = /^capture([A-Z].*)$/.exec(name)?.[1];
    return bare === undefined ? [] : [[bare[0]!.toLowerCase() + bare.slice(1), value] as const];
  });
  if (typeof typed.capture === 'string') return recordingOf(typed.capture, Object.fromEntries(companions));
  if (companions.length === 0) return undefined;
  throw new ConfigError(
    'CLI_USAGE',
    `--capture-${companions[0]![0]} says how to record, and nothing is recorded`,
    {
      hint: 'add --capture FILE',
    },
  );
}

/** A recording as the fabric wants it. @throws ConfigError of a value */
export function recordingOf(path: string, typed: RecordingTyped): RecordingOptions {
  const { filter, wire, format, snap, files, fileSize, fileTime } = typed;
  // Judged before anything is begun, and not when the recording is.
  if (filter !== undefined) new CaptureFilter(filter);
  const isRing = files !== undefined || fileSize !== undefined || fileTime !== undefined;
  const ring = {
    ...(fileSize === undefined ? {} : { maxBytes: parseSize(fileSize, '--file-size', FILE_SIZE) }),
    ...(fileTime === undefined ? {} : { maxNs: parseDuration(fileTime, '--file-time', FILE_TIME) }),
    ...(files === undefined ? {} : { files: wholeNumber(files, '--files') }),
  };
  return {
    path,
    ...(filter === undefined ? {} : { filter }),
    ...(wire === undefined ? {} : { wire }),
    ...(format === undefined ? {} : { format }),
    ...(snap === undefined ? {} : { snapBytes: parseSize(snap, '--snap', SNAP) }),
    ...(isRing ? { ring } : {}),
  };
}
