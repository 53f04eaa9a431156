/**
 * The command line's grammar. What a command does stands in a file of its own; here is what may be
 * typed and what `--help` teaches.
 */
import { Command, CommanderError } from 'commander';
import type { ControlCall } from '../lab/bridge/protocol.js';
import type { BridgeTyped } from './bridge.js';
import type { CalibrateTyped } from './calibrate.js';
import { addCaptureRecord } from './capture-command.js';
import type { CaptureDiffTyped } from './capture-diff.js';
import { addCaptureOption } from './capture-options.js';
import { addCaptureReading } from './capture-read-command.js';
import type { CaptureRecordTyped } from './capture-record.js';
import type { CaptureShowTyped } from './capture-show.js';
import type { ConsoleTyped } from './console.js';
import type { CtlOptions } from './ctl.js';
import { addCtlCommand } from './ctl-command.js';
import { EXIT_CODES_TEXT, EXIT_OK, EXIT_USAGE } from './exit-codes.js';
import { addGuestCommand, type GuestBuildTyped } from './guest-command.js';
import { addHostCommand, type HostCommands } from './host-command.js';
import { addKeyOptions } from './options.js';
import { addQemuCommand } from './qemu-command.js';
import type { ReplayTyped } from './replay.js';
import { addReplayCommand } from './replay-command.js';
import { addResultsCommands, type ResultsCommands } from './results-command.js';
import { addSweepCommands, type SweepCommands } from './sweep-command.js';
import { addTuneCommand, type TuneCommands } from './tune-command.js';

/** What each command does; resolves to the exit code. */
export interface Commands extends HostCommands, ResultsCommands, SweepCommands, TuneCommands {
  run(file: string | undefined, typed: Readonly<Record<string, unknown>>): Promise<number>;
  bridge(file: string, typed: BridgeTyped): Promise<number>;
  captureShow(file: string, typed: CaptureShowTyped): Promise<number>;
  captureDiff(a: string, b: string, typed: CaptureDiffTyped): Promise<number>;
  replay(file: string, typed: ReplayTyped): Promise<number>;
  captureRecord(file: string, typed: CaptureRecordTyped): Promise<number>;
  console(typed: ConsoleTyped): Promise<number>;
  guestBuild(what: string, typed: GuestBuildTyped): Promise<number>;
  qemuMigrate(typed: Readonly<Record<string, unknown>>): Promise<number>;
  ctl(call: ControlCall, options: CtlOptions): Promise<number>;
  calibrate(typed: CalibrateTyped): Promise<number>;
  doctor(json: boolean): Promise<number>;
  /** @param file a profile of the user's own; without one, those that are shipped */
  profiles(file: string | undefined, json: boolean): Promise<number>;
}

export interface Streams {
  out(text: string): void;
  err(text: string): void;
}

const EXAMPLES = `Examples:
  longhaul run                                     move a 256 MiB guest 80 km, once
  longhaul run --repeat 20 --seed 7 --out run7     twenty moves, the result in run7/result.json
  longhaul run --distance 200km --loss 0.01%       a longer, lossy fiber
  longhaul run --dirty zipf:500MB/s --streams 4    a busy guest, four streams
  longhaul run examples/two-spans.yaml --json      an experiment from a file, its result on stdout
  longhaul run --keep                              leave the sites standing, for ping and iperf3
  longhaul bridge examples/two-namespaces.yaml     the fabric alone, with ports of your own
  longhaul ctl set --loss 1% --direction a-b       change a running bridge
  longhaul replay trace.pcap --pace x2             a capture through the fabric, at twice its speed
  longhaul report results --out report.html        all that was measured, as one page
  longhaul qemu migrate --mode multifd             the same machine, moved by QEMU over the same fiber
  longhaul doctor                                  what this machine offers, what each lack costs`;

const RUN_HELP = `Options stand over the file; examples/metro-80km.yaml shows every key.
A fiber option holds for every span and both directions; --profile replaces the file's fiber.

${EXIT_CODES_TEXT}`;

const BRIDGE_HELP = `examples/two-namespaces.yaml shows every key; examples/two-qemu-guests.yaml and vxlan-peer.yaml are others.
Ctrl-C and SIGTERM are how a bridge ends: all that it made is removed, and the exit code is 0.`;

/**
 * Parses and runs.
 * @param argv the words after the program's name
 * @returns the exit code
 * @throws whatever a command throws; bad words are answered here with one line and exit code 2
 */
export async function runProgram(
  argv: readonly string[],
  version: string,
  commands: Commands,
  streams: Streams,
): Promise<number> {
  let exitCode = EXIT_OK;
  const program = new Command('longhaul')
    .description(
      'Moves a running guest between two virtual datacenters over an emulated fiber, and measures what it ' +
        'costs: the 2009 Cisco/VMware experiment (80 km, a round trip under 1 ms) on one machine.',
    )
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this')
    .helpCommand(false)
    .addHelpText('after', `\n${EXAMPLES}\n\n${EXIT_CODES_TEXT}`)
    .exitOverride()
    .configureOutput({
      writeOut: streams.out,
      writeErr: streams.err,
      outputError: (text, write) => write(oneLine(text, typedCommand(program, argv))),
    });
  const settle = (code: Promise<number>): Promise<void> =>
    code.then((value) => {
      exitCode = value;
    });

  const run = program
    .command('run')
    .description('Runs an experiment: sets up both sites, moves the guest, says what it cost.')
    .argument('[experiment]', 'a YAML file; without one, the experiment of 2009')
    .allowExcessArguments(false)
    .addHelpText('after', `\n${RUN_HELP}`);
  addCaptureOption(addKeyOptions(run))
    .option(
      '--costs <file>',
      'what hosts take for their steps, with --attach sim (longhaul calibrate makes it)',
    )
    .option('--json', "print the result's JSON on stdout, all else on stderr")
    .option('--no-progress', 'print no progress')
    .action((file: string | undefined, typed: Record<string, unknown>) => settle(commands.run(file, typed)));

  const bridge = program
    .command('bridge')
    .description('Runs the stretched L2 and its fiber alone, with ports of your own, until Ctrl-C.')
    .argument('<config>', 'a YAML file')
    .allowExcessArguments(false)
    .option('--interval <time>', 'between two looks at the counters (default: 1s on a terminal, else none)')
    .option('--quiet', 'say only what went wrong')
    .addHelpText('after', `\n${BRIDGE_HELP}`);
  addCaptureOption(bridge).action((file: string, typed: BridgeTyped) => settle(commands.bridge(file, typed)));

  addCaptureRecord(program, (file, typed) => settle(commands.captureRecord(file, typed)));

  addCtlCommand(program, (call, options) => settle(commands.ctl(call, options)));

  addCaptureReading(program, {
    show: (file, typed) => settle(commands.captureShow(file, typed)),
    diff: (a, b, typed) => settle(commands.captureDiff(a, b, typed)),
  });

  addReplayCommand(program, (file, typed) => settle(commands.replay(file, typed)));

  addHostCommand(program, commands, settle);

  addResultsCommands(program, commands, settle);
  program
    .command('console')
    .description('Attaches this terminal to the serial console of a run’s machine, across its moves.')
    .allowExcessArguments(false)
    .option('--run <dir>', "the run's directory (default: the one run that has a machine)")
    .action((typed: ConsoleTyped) => settle(commands.console(typed)));

  addGuestCommand(program, (what, typed) => settle(commands.guestBuild(what, typed)));

  addQemuCommand(program, (typed) => settle(commands.qemuMigrate(typed)));

  addSweepCommands(program, commands, settle);

  addTuneCommand(program, commands, settle);

  program
    .command('calibrate')
    .description('Measures what the hosts of this machine take, for simulated hosts to take as long.')
    .allowExcessArguments(false)
    .option('--quick', 'fewer moves: half a minute, and figures that spread more')
    .option('--out <file>', 'where the costs go (default: costs.json)')
    .option('--runs <dir>', 'keep the results of the runs there, and take those that are there')
    .option('--json', 'print JSON')
    .action((typed: CalibrateTyped) => settle(commands.calibrate(typed)));

  program
    .command('doctor')
    .description('Lists what this machine offers and what each lack costs.')
    .allowExcessArguments(false)
    .option('--json', 'print JSON')
    .action((typed: { json?: boolean }) => settle(commands.doctor(typed.json ?? false)));

  program
    .command('profiles')
    .description(
      'Lists the fibers by name, with the source of their figures; or shows what a file of your own says.',
    )
    .argument('[fiber]', 'a YAML file with a fiber of your own')
    .allowExcessArguments(false)
    .option('--json', 'print JSON')
    .action((file: string | undefined, typed: { json?: boolean }) =>
      settle(commands.profiles(file, typed.json ?? false)),
    );

  if (argv.length === 0) {
    program.outputHelp();
    return EXIT_OK;
  }
  try {
    await program.parseAsync(argv, { from: 'user' });
  } catch (e) {
    // commander has written its line, or the help or version that was asked for
    if (e instanceof CommanderError) return e.exitCode === 0 ? EXIT_OK : EXIT_USAGE;
    throw e;
  }
  return exitCode;
}

/** The command that was typed, with those above it, as far as there is one. */
function typedCommand(program: Command, argv: readonly string[]): string {
  const names = [program.name()];
  let at: Command | undefined = program;
  for (const word of argv) {
    at = at.commands.find((c) => c.name() === word);
    if (at === undefined) break;
    names.push(word);
  }
  return names.join(' ');
}

/** commander's complaint in this project's form: one line, with the remedy behind a semicolon. */
function oneLine(text: string, command: string): string {
  const words = text
    .trim()
    .replace(/^error: /, '')
    .replace(/\s*\n\s*/g, ' ')
    .replace(/\s*\(Did you mean/, '; (did you mean');
  const suggestion = /; \(did you mean (?:one of )?(.+?)\?\)$/.exec(words);
  const remedy = suggestion ? `did you mean ${suggestion[1]}?` : `${command} --help shows what may be typed`;
  return `longhaul: CLI_USAGE: ${suggestion ? words.slice(0, suggestion.index) : words}; ${remedy}\n`;
}
