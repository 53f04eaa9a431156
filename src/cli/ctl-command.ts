/** The grammar of `longhaul ctl`: what may be typed, as the request that it becomes. */
import { Argument, type Command, Option } from 'commander';
import { ConfigError } from '../core/index.js';
import { parsePortText } from '../lab/bridge/file.js';
import type { ControlCall } from '../lab/bridge/protocol.js';
import { LANE_KEYS } from '../lab/config/lane-keys.js';
import type { CtlOptions } from './ctl.js';

/** What the command does with a request. */
export type AskBridge = (call: ControlCall, options: CtlOptions) => Promise<void>;

const CTL_HELP = `Examples:
  longhaul ctl show
  longhaul ctl set --direction a-b --loss 1% --one-way 5ms
  longhaul ctl set --loss '{model: gilbert-elliott, p: 0.1%, r: 20%}'
  longhaul ctl link down
  longhaul ctl port add '{name: c, site: b, tap: lh-c}'

docs/control.md has the protocol, for programs.`;

/** A lane's keys, and what each means: those of the file. */
const LANE_OPTIONS: readonly (readonly [key: string, text: string])[] = Object.entries(LANE_KEYS)
  .filter(([key]) => key !== 'link')
  .map(([key, schema]) => [key, schema.description ?? schema.unwrap().description ?? '']);

/** Adds `ctl` to the program. */
export function addCtlCommand(program: Command, ask: AskBridge): void {
  const ctl = program
    .command('ctl')
    .description('Asks a running bridge, or changes it.')
    .helpCommand(false)
    .option('--control <name or path>', 'which bridge, when several run')
    .option('--json', "print the answer's JSON")
    .addHelpText('after', `\n${CTL_HELP}`);
  const add = (name: string, text: string, parent = ctl): Command =>
    parent.command(name).description(text).allowExcessArguments(false);
  const on = (
    command: Command,
    callOf: (words: string[], typed: Record<string, string>) => ControlCall,
  ): void => {
    command.action(() => ask(callOf(command.args, command.opts()), command.optsWithGlobals<CtlOptions>()));
  };

  on(add('show', 'Prints what it carries and how it is set.'), () => ({ do: 'show' }));
  on(add('ports', 'Lists its ports.'), () => ({ do: 'ports' }));
  on(
    add('macs', "Lists the addresses that each site's bridge knows.").option(
      '--limit <n>',
      'of each site (default: 1000)',
    ),
    (_, { limit }) => ({ do: 'macs', ...(limit === undefined ? {} : { limit: Number(limit) }) }),
  );

  const set = withLanes(add('set', 'Changes the fiber while it runs; what is not named stays.'));
  for (const [key, text] of LANE_OPTIONS) set.option(`--${key} <value>`, text);
  on(set, (_, typed) => setCall(typed, laneOf(typed)));

  const state = new Argument('<state>', 'down: nothing passes any more').choices(['up', 'down']);
  const link = withLanes(add('link', 'Takes the link down, or up again.').addArgument(state));
  on(link, ([to], typed) => setCall(typed, { link: to }));

  const port = ctl.command('port').description('Adds a port, or removes one.').helpCommand(false);
  on(
    add('add', 'Adds a port.', port).argument('<keys>', "the port's keys as YAML, as in the file"),
    ([text]) => ({
      do: 'add-port',
      port: parsePortText(text!) as Record<string, unknown>,
    }),
  );
  on(add('remove', 'Removes a port.', port).argument('<name>', 'the name of the port'), ([name]) => ({
    do: 'remove-port',
    name: name!,
  }));

  // Begun by `longhaul capture record`; one whose command was killed goes on until it is ended here.
  const recording = ctl
    .command('recording')
    .description('Shows what is recorded, or ends it.')
    .helpCommand(false);
  on(add('show', 'Says what is recorded, and whether it is still.', recording), () => ({ do: 'recording' }));
  on(add('stop', 'Ends the recording.', recording), () => ({ do: 'stop-recording' }));
}

function withLanes(command: Command): Command {
  const direction = new Option('--direction <which>', 'which way (default: both)').choices([
    'a-b',
    'b-a',
    'both',
  ]);
  return command.addOption(direction).option('--span <n>', 'which span, from site A, 0 first (default: all)');
}

function setCall({ direction, span }: Record<string, string>, lane: Record<string, unknown>): ControlCall {
  return {
    do: 'set',
    lane,
    ...(direction === undefined ? {} : { direction: direction as 'a-b' | 'b-a' | 'both' }),
    ...(span === undefined ? {} : { span: Number(span) }),
  };
}

function laneOf(typed: Record<string, string>): Record<string, unknown> {
  const keys = LANE_OPTIONS.flatMap(([key]) => {
    const text = typed[new Option(`--${key} <value>`).attributeName()];
    return text === undefined ? [] : [[key, text] as const];
  });
  if (keys.length > 0) return Object.fromEntries(keys);
  throw new ConfigError('CLI_USAGE', 'ctl set names nothing to set', {
    hint: 'name a key of a lane, such as --loss 1%; longhaul ctl set --help lists them',
  });
}
