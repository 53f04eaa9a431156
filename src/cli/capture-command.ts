/** The grammar of `longhaul capture record`; `show` and `diff` join it under the same word. */
import type { Command } from 'commander';
import { addRecordingOptions } from './capture-options.js';
import type { CaptureRecordTyped } from './capture-record.js';

const RECORD_HELP = `A filter is made of:
  site a | site b | port NAME | direction in | direction out | dropped [REASON]
  mac MAC | ip ADDRESS[/BITS] | proto arp|rarp|ip|ip6|icmp|icmp6|tcp|udp|vxlan|N | l4 PORT | vlan N
joined by and, or, not and parentheses. The fiber's ends are the ports fiber-a and fiber-b.

Examples:
  longhaul capture record now.pcapng --filter 'dropped'
  longhaul capture record - | wireshark -k -i -
  longhaul capture record ring.pcapng --file-size 64MiB --files 4 --duration 10m`;

/** `longhaul capture`, whoever names it first. */
export function captureGroup(program: Command): Command {
  return (
    program.commands.find((command) => command.name() === 'capture') ??
    program.command('capture').description('Records, shows and compares captures.').helpCommand(false)
  );
}

/** Adds `capture record` to the program. */
export function addCaptureRecord(
  program: Command,
  record: (file: string, typed: CaptureRecordTyped) => Promise<void>,
): void {
  const command = captureGroup(program)
    .command('record')
    .description('Records a running bridge: what passes every port and both ends of the fiber.')
    .argument('<file>', 'the capture; - for standard output')
    .allowExcessArguments(false)
    .option('--control <name or path>', 'which bridge, when several run')
    .option('--duration <time>', 'end by itself after this time')
    .option('--json', 'print what was recorded as JSON')
    .addHelpText('after', `\n${RECORD_HELP}`);
  addRecordingOptions(command, '').action((file: string, typed: CaptureRecordTyped) => record(file, typed));
}
