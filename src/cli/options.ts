/**
 * The options of `longhaul run`: each one is a key of the experiment file under another name, and is
 * laid over the file as the text it was typed as. So ranges, defaults and refusals live in one
 * place, `lab/config/experiment-keys.ts`; here is only what a terminal adds.
 */
import { type Command, Option } from 'commander';
import type { Override } from '../lab/config/experiment-file.js';

interface KeyOption {
  /** As commander has it: the name and the form of its value. */
  readonly flags: string;
  readonly path: readonly string[];
  readonly text: string;
  readonly hidden?: true;
}

const KEY_OPTIONS: readonly KeyOption[] = [
  {
    flags: '--profile <fiber>',
    path: ['fiber', 'profile'],
    text: 'fiber by name, or a YAML file of your own (default: metro-80km)',
  },
  { flags: '--distance <length>', path: ['fiber', 'distance'], text: 'length of fiber, 5 µs a km: 80km' },
  {
    flags: '--one-way <time>',
    path: ['fiber', 'one-way'],
    text: 'one-way delay, in place of a distance: 400us',
  },
  { flags: '--rate <rate>', path: ['fiber', 'rate'], text: 'rate of the link: 10Gbit, unlimited' },
  { flags: '--loss <chance>', path: ['fiber', 'loss'], text: 'chance that a packet is lost: 0.01%' },
  { flags: '--queue <size>', path: ['fiber', 'queue'], text: 'queue in front of the rate: 4MiB' },
  {
    flags: '--attach <how>',
    path: ['attach'],
    text: 'auto, netns, loopback or sim: virtual time (default: auto)',
  },
  {
    flags: '--guest <kind>',
    path: ['guest', 'kind'],
    text: 'workload, a model; pc, an x86 machine with TCP of its own; linux (default: workload)',
  },
  {
    flags: '--image <file>',
    path: ['guest', 'image'],
    text: 'what a pc boots, a multiboot image (default: metal)',
  },
  { flags: '--cmdline <words>', path: ['guest', 'cmdline'], text: 'more for a pc’s command line' },
  {
    flags: '--memory <size>',
    path: ['guest', 'memory'],
    text: 'memory of the guest (default: 256MiB, of a pc 64MiB)',
  },
  { flags: '--fill <content>', path: ['guest', 'fill'], text: 'zero, text, random or mix (default: mix)' },
  {
    flags: '--dirty <model[:rate]>',
    path: ['guest', 'dirty'],
    text: 'what the guest writes: idle, or sweep, uniform, zipf with a rate (default: uniform:50MB/s)',
  },
  {
    flags: '--hot-set <size>',
    path: ['guest', 'hot-set'],
    text: 'range that it writes (default: all memory)',
  },
  {
    flags: '--mode <mode>',
    path: ['migration', 'mode'],
    text: 'precopy, postcopy or hybrid (default: hybrid)',
  },
  {
    flags: '--slow-guest',
    path: ['migration', 'slow-guest'],
    text: 'slow the guest in steps when pre-copy rounds do not converge',
  },
  {
    flags: '--transport <how>',
    path: ['migration', 'transport'],
    text: 'what carries memory: auto, tcp or udp (default: auto, tcp with netns, else udp)',
  },
  {
    flags: '--congestion <model>',
    path: ['migration', 'congestion'],
    text: 'auto, bbr, cubic or, with udp, fixed at the rate (default: auto)',
  },
  {
    flags: '--migration-rate <rate>',
    path: ['migration', 'rate'],
    text: 'most that moves put on the wire: 4Gbit (default: unlimited)',
  },
  {
    flags: '--fec <on|off>',
    path: ['migration', 'fec'],
    text: 'parity over the flight that ends the pause, with udp (default: on)',
  },
  {
    flags: '--compress <when>',
    path: ['migration', 'compress'],
    text: 'compress pages: on, off, or auto, while it pays (default: auto)',
  },
  {
    flags: '--delta <when>',
    path: ['migration', 'delta'],
    text: 'send what changed of pages sent before: on, off, auto (default: auto)',
  },
  {
    flags: '--dedup <when>',
    path: ['migration', 'dedup'],
    text: 'send pages that are there already as a number: on, off, auto (default: auto)',
  },
  {
    flags: '--streams <n>',
    path: ['migration', 'streams'],
    text: 'TCP streams for pages, 1..16 (default: 1)',
  },
  {
    flags: '--pause-target <time>',
    path: ['migration', 'pause-target'],
    text: 'switch over when the predicted pause is at most this (default: 1ms)',
  },
  {
    flags: '--max-rounds <n>',
    path: ['migration', 'max-rounds'],
    text: 'pre-copy rounds at most (default: 30)',
  },
  {
    flags: '--cut <time@phase>',
    path: ['migration', 'cut'],
    text: 'cut the fiber in each move: 5s@precopy, 5s@switchover or 5s@postcopy',
  },
  { flags: '--qos <order>', path: ['migration', 'qos'], text: 'guest-first or none (default: guest-first)' },
  {
    flags: '--insecure',
    path: ['migration', 'insecure'],
    text: 'neither authenticate nor encrypt: guest memory crosses the link in clear',
  },
  {
    flags: '--durable <what>',
    path: ['migration', 'durable'],
    text: 'records of the switchover survive the process, or the machine: disk (default: process)',
  },
  {
    flags: '--memory-backing <dir>',
    path: ['migration', 'memory-backing'],
    text: 'folder on tmpfs for guest memory, which then survives the process of its host',
  },
  {
    flags: '--verify <on|off>',
    path: ['migration', 'verify'],
    text: 'compare all memory after each move (default: on)',
  },
  {
    flags: '--repeat <n>',
    path: ['migration', 'repeat'],
    text: 'moves there and back, 0..1000 (default: 1)',
  },
  { flags: '--seed <n>', path: ['seed'], text: 'seed of every random draw (default: 1)' },
  {
    flags: '--super-frame <size>',
    path: ['super-frame'],
    text: 'longest super-frame of a station’s TCP, 4KiB..256KiB (default: what the fiber carries whole, 64KiB at least)',
  },
  { flags: '--spin <when>', path: ['spin'], text: 'deadline, always or never (default: deadline)' },
  {
    flags: '--keep',
    path: ['keep'],
    text: 'leave both sites standing until Ctrl-C and name their namespaces',
  },
  { flags: '--out <dir>', path: ['out'], text: 'where result.json goes (default: results/TIME)' },
  {
    flags: '--test-corrupt-page <pfn>',
    path: ['test-hooks', 'corrupt-page'],
    text: 'flip a byte of this page in flight',
    hidden: true,
  },
];

/** Under what heads the help shows them: by the first word of the key. */
const HEADS: Readonly<Record<string, string>> = {
  fiber: 'The fiber:',
  guest: 'The guest:',
  migration: 'The moves:',
};
const OTHER_HEAD = 'The run:';

/** Adds the experiment's options to a command, under heads, in their order. */
export function addKeyOptions(command: Command): Command {
  for (const { flags, text, path, hidden } of KEY_OPTIONS) {
    const option = new Option(flags, text).helpGroup(HEADS[path[0]!] ?? OTHER_HEAD);
    command.addOption(hidden ? option.hideHelp() : option);
  }
  return command;
}

/** Adds those options that say what lies between the sites: all about the fiber, the seed and when to spin. */
export function addFiberOptions(command: Command): Command {
  for (const o of KEY_OPTIONS.filter(isFiberOption)) command.addOption(new Option(o.flags, o.text));
  return command;
}

/** Adds the options whose keys stand in these parts of the experiment file. */
export function addOptionsAbout(command: Command, parts: readonly string[]): Command {
  for (const { flags, text, path } of KEY_OPTIONS) {
    if (parts.includes(path[0]!)) command.addOption(new Option(flags, text));
  }
  return command;
}

/** What another migrator's move has in common with ours, besides the fiber. */
const PEER_KEYS = ['image', 'cmdline', 'memory', 'fill', 'dirty', 'hot-set', 'repeat', 'out'];

function isFiberOption({ path }: KeyOption): boolean {
  return path[0] === 'fiber' || path[0] === 'seed' || path[0] === 'spin';
}

function isPeerOption(option: KeyOption): boolean {
  return isFiberOption(option) || PEER_KEYS.includes(option.path.at(-1)!);
}

/** Adds what holds also for a run whose moves another migrator makes. */
export function addPeerOptions(command: Command): Command {
  for (const o of KEY_OPTIONS.filter(isPeerOption)) command.addOption(new Option(o.flags, o.text));
  return command;
}

/** What was typed of these: the other migrator may have options of its own by the names of our others. */
export function peerOverridesOf(typed: Readonly<Record<string, unknown>>): Override[] {
  return overridesFrom(KEY_OPTIONS.filter(isPeerOption), typed);
}

/** What was typed, as keys to lay over the file. @param typed commander's `opts()` */
export function overridesOf(typed: Readonly<Record<string, unknown>>): Override[] {
  return overridesFrom(KEY_OPTIONS, typed);
}

function overridesFrom(options: readonly KeyOption[], typed: Readonly<Record<string, unknown>>): Override[] {
  return options.flatMap(({ flags, path }) => {
    const option = new Option(flags);
    const value = typed[option.attributeName()];
    return value === undefined ? [] : [{ option: option.long!, path, value }];
  });
}
