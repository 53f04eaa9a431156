/** The grammar of `longhaul capture show` and `capture diff`. */
import type { Command } from 'commander';
import { captureGroup } from './capture-command.js';
import type { CaptureDiffTyped } from './capture-diff.js';
import type { CaptureShowTyped } from './capture-show.js';

const SHOW_HELP = `Times count from the first packet. A migration is read where it is in the clear: its messages with the instants of
the frames that completed them, its rounds, and what STARTED tells. Sealed links are named, with what passed on them.
captures/longhaul.lua shows the same in Wireshark.`;

const DIFF_HELP = `A packet is the same when its packet id is, where both captures have ids; else when its content is, with an allowance
for what a path rewrites: MAC addresses, tags, IP addresses, TTL and checksums, which are named as changed.

Examples:
  longhaul capture diff sent.pcap arrived.pcapng
  longhaul capture diff run.pcapng run.pcapng --interface-a client-a0 --interface-b client-b0`;

/** What the commands do. */
export interface CaptureReading {
  show(file: string, typed: CaptureShowTyped): Promise<void>;
  diff(a: string, b: string, typed: CaptureDiffTyped): Promise<void>;
}

/** Adds `capture show` and `capture diff` to the program. */
export function addCaptureReading(program: Command, reading: CaptureReading): void {
  captureGroup(program)
    .command('show')
    .description('Prints the packets of a capture, and the migrations among them.')
    .argument('<file>', 'a capture: pcapng or classic pcap')
    .allowExcessArguments(false)
    .option('--limit <n>', 'lines of packets at most')
    .option('--no-packets', 'only the migrations')
    .option('--tolerant', 'use what can be read of a damaged file')
    .option('--json', 'print JSON: one object a packet, then what was found')
    .addHelpText('after', `\n${SHOW_HELP}`)
    .action((file: string, typed: CaptureShowTyped) => reading.show(file, typed));

  captureGroup(program)
    .command('diff')
    .description('Matches the packets of two captures: lost, changed, reordered, delayed by how much.')
    .argument('<a>', 'the capture before')
    .argument('<b>', 'the capture after')
    .allowExcessArguments(false)
    .option('--interface-a <name>', 'only packets that A saw there')
    .option('--interface-b <name>', 'only packets that B saw there')
    .option('--limit <n>', 'differences listed of each kind (default: 10)')
    .option('--tolerant', 'use what can be read of a damaged file')
    .option('--json', 'print JSON')
    .addHelpText('after', `\n${DIFF_HELP}`)
    .action((a: string, b: string, typed: CaptureDiffTyped) => reading.diff(a, b, typed));
}
