/** The grammar of `longhaul host`: what hosts have on record, and settling what is in doubt. */
import { type Command, Option } from 'commander';
import { ConfigError } from '../core/index.js';
import type { ResolveHow } from '../host/index.js';

export interface HostOptions {
  readonly json?: boolean;
  /** A run's directory, in place of all runs of this user. */
  readonly run?: string;
}

export interface HostCommands {
  hostList(options: HostOptions): Promise<number>;
  hostResolve(guest: string, how: ResolveHow, options: HostOptions): Promise<number>;
}

const RESOLVE_HELP = `One of:
  --ask          asks the peer. NEVER: the guest runs on at its source, nothing is lost. RUNNING: the source's
                 copy is freed. No answer: nothing changes.
  --resume-here  your word: the guest runs on at its source. If it ran at the peer since the pause, the answers
                 it gave there are undone. Refused while the peer runs it or may start it.
  --discard      your word: the source's copy is given up. If the guest does not run at the peer, it is gone.
Your word is on disk, in the run's host-SITE.words, before anything follows from it.

Exit codes:
  0    the doubt is settled
  1    it is not, or the guest's memory is lost
  2    no such guest, or it is not in doubt`;

const RESOLVE_WAYS: readonly ResolveHow[] = ['ask', 'resume-here', 'discard'];

/** Adds `host` to the program. @param settle takes the promised exit code */
export function addHostCommand(
  program: Command,
  commands: HostCommands,
  settle: (code: Promise<number>) => Promise<void>,
): void {
  const host = program
    .command('host')
    .description('Shows what the hosts of runs have on record, and settles what is in doubt.')
    .helpCommand(false);
  const add = (name: string, text: string): Command =>
    host
      .command(name)
      .description(text)
      .allowExcessArguments(false)
      .option('--run <dir>', "a run's directory (default: every run of this user)")
      .option('--json', 'print JSON');
  add('list', 'Lists guests by host: running, in doubt, never started, lost …').action((typed: HostOptions) =>
    settle(commands.hostList(typed)),
  );
  const resolve = add('resolve', 'Settles a migration that is in doubt.').argument(
    '<guest>',
    'the name of the guest',
  );
  for (const way of RESOLVE_WAYS)
    resolve.addOption(
      new Option(`--${way}`).conflicts(RESOLVE_WAYS.filter((w) => w !== way).map(attributeOf)),
    );
  resolve
    .addHelpText('after', `\n${RESOLVE_HELP}`)
    .action((guest: string, typed: Record<string, unknown>) => {
      const how = RESOLVE_WAYS.find((way) => typed[attributeOf(way)] === true);
      if (how === undefined) {
        throw new ConfigError('CLI_USAGE', 'host resolve does not say how', {
          hint: 'give --ask, --resume-here or --discard; longhaul host resolve --help says what each does',
        });
      }
      return settle(commands.hostResolve(guest, how, typed));
    });
}

function attributeOf(way: ResolveHow): string {
  return way.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}
