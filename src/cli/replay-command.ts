/** The grammar of `longhaul replay`: what may be typed. */
import type { Command } from 'commander';
import { addCaptureOption } from './capture-options.js';
import { addFiberOptions } from './options.js';
import type { ReplayTyped } from './replay.js';

const REPLAY_HELP = `Examples:
  longhaul replay captures/arp-icmp.pcapng
  longhaul replay trace.pcap --profile metro-80km --pace captured --json
  longhaul replay trace.pcap --pace x2 --loop 10 --unique-addresses
  longhaul replay trace.pcap --side-a 10.0.0.0/24 --loss 0.1% --out-capture arrived.pcapng
  longhaul replay trace.pcap --to interface:eth1 --from a --rewrite-mac 02:00:00:00:00:01=52:54:00:00:00:01

A frame that a capture shows at several interfaces is sent once. --pace is as the first packet's instant has it: no
error adds up. What lives at which site is found from who talks to whom; --side-a says it.`;

const several = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

/** Adds `replay` to the program. */
export function addReplayCommand(
  program: Command,
  run: (file: string, typed: ReplayTyped) => Promise<void>,
): void {
  const command = program
    .command('replay')
    .description(
      'Sends a capture through the fabric between the sites, or out of an interface, and says what arrived.',
    )
    .argument('<file>', 'a capture: pcapng or classic pcap')
    .allowExcessArguments(false)
    .addHelpText('after', `\n${REPLAY_HELP}`)
    .option('--pace <pace>', 'captured, x2, 1000pps, 100Mbit, top or one-at-a-time (default: captured)')
    .option('--loop <n>', 'how many times (default: 1)')
    .option('--unique-addresses', 'each loop has addresses of its own')
    .option('--to <place>', 'fabric, tap:NAME, interface:NAME, nio-udp:HOST:PORT or raw-ip (default: fabric)')
    .option('--from <site>', 'elsewhere than through the fabric: only what leaves this site, a or b')
    .option(
      '--side-a <address>',
      'a MAC, IP or prefix at site A; may be given again; all else is at B',
      several,
    )
    .option('--rewrite-mac <old=new>', 'gives an address another one; may be given again', several)
    .option('--rewrite-ip <old=new>', 'the same of IP addresses or prefixes of one length', several)
    .option('--rewrite-vlan <old=new>', 'the same of VLAN numbers; none for no tag', several)
    .option('--interface <name>', 'only packets that the capture saw there')
    .option('--mtu <bytes>', 'TCP above it is cut, all else above it reported (default: 1500)')
    .option('--patience <time>', 'how long one-at-a-time waits for each (default: 1s)')
    .option('--tolerant', 'use what can be read of a damaged file')
    .option('--out-capture <file>', 'write what arrived')
    .option('--json', 'print JSON');
  addCaptureOption(addFiberOptions(command)).action((file: string, typed: ReplayTyped) => run(file, typed));
}
