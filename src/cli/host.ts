/**
 * `longhaul host list` and `longhaul host resolve GUEST`: reads the durable records of this machine's runs, asks the
 * hosts that live, and says what is known. What may be done about a doubt is decided in `host/resolve-doubt.ts`.
 */
import { ConfigError } from '../core/index.js';
import type { FoundGuest, FoundHost, RecordedState, Resolution, ResolveHow } from '../host/index.js';
import { formatTable, paint } from '../report/index.js';
import { EXIT_FAILED, EXIT_OK } from './exit-codes.js';
import type { HostOptions } from './host-command.js';

/** What the commands need of the rest; tests give their own. */
export interface HostContext {
  readonly out: (text: string) => void;
  readonly colour: boolean;
  readonly uid: number;
  readonly now: () => Date;
  readonly runDirectories: () => string[];
  readonly findHosts: (directories: readonly string[]) => Promise<FoundHost[]>;
  readonly guestsOf: (host: FoundHost) => FoundGuest[];
  readonly resolveDoubt: (
    doubt: FoundGuest,
    peer: FoundHost | null,
    how: ResolveHow,
    uid: number,
    nowIso: string,
  ) => Promise<Resolution>;
}

/** What each state means, for people. */
const MEANING: Readonly<Record<RecordedState, string>> = {
  running: 'runs here',
  moving: 'is moving from here',
  'in-doubt': 'stands here, committed, without an answer',
  moved: 'has moved away',
  'standing-by': 'nothing here yet',
  kept: 'stood here in doubt; the process is gone, memory and state are kept',
  'memory-lost': 'stood here in doubt; the process is gone, and the memory with it',
  lost: 'ran here; its host died, and the guest with it',
  never: 'never started here, and never will',
  closed: 'this host has no more part in it',
};

/** @returns the exit code */
export async function hostList(options: HostOptions, context: HostContext): Promise<number> {
  const guests = await findGuests(options, context);
  if (options.json) {
    context.out(`${JSON.stringify(guests.map(asJson))}\n`);
    return EXIT_OK;
  }
  if (guests.length === 0) {
    context.out('no host of a run is on record on this machine\n');
    return EXIT_OK;
  }
  const rows = guests.map(({ host, guest, epoch, state }) => [
    host.run,
    host.site.toUpperCase(),
    guest,
    epoch === 0 ? '-' : String(epoch),
    state,
    host.storeId.slice(0, 8),
    host.writtenAt.toISOString().slice(0, 19).replace('T', ' '),
    host.live === null ? '-' : String(host.live.pid),
    MEANING[state],
  ]);
  const columns = [
    { title: 'run' },
    { title: 'host' },
    { title: 'guest' },
    { title: 'epoch', align: 'right' as const },
    { title: 'state' },
    { title: 'store' },
    { title: 'written (UTC)' },
    { title: 'process', align: 'right' as const },
    { title: '' },
  ];
  context.out(`${formatTable(columns, rows, '').join('\n')}\n`);
  const doubts = guests.filter(isDoubt);
  if (doubts.length > 0)
    context.out(
      `\n${doubts.length} in doubt: longhaul host resolve ${doubts[0]!.guest} --ask asks the peer\n`,
    );
  return EXIT_OK;
}

/**
 * @returns the exit code
 * @throws ConfigError HOST_GUEST_UNKNOWN, HOST_NO_DOUBT, HOST_GUEST_AMBIGUOUS
 */
export async function hostResolve(
  guest: string,
  how: ResolveHow,
  options: HostOptions,
  context: HostContext,
): Promise<number> {
  const guests = await findGuests(options, context);
  const named = guests.filter((g) => g.guest === guest);
  if (named.length === 0)
    throw new ConfigError('HOST_GUEST_UNKNOWN', `no host has a guest ${guest} on record`, {
      hint: 'longhaul host list shows those that there are',
    });
  const doubts = named.filter(isDoubt);
  if (doubts.length === 0)
    throw new ConfigError('HOST_NO_DOUBT', `guest ${guest} is not in doubt: ${describe(named)}`, {
      hint: 'there is nothing to settle',
    });
  if (doubts.length > 1)
    throw new ConfigError('HOST_GUEST_AMBIGUOUS', `guest ${guest} is in doubt in ${doubts.length} runs`, {
      hint: `name one: --run ${doubts.map((d) => directoryOf(d.host)).join(' or --run ')}`,
    });
  const doubt = doubts[0]!;
  const peer = await peerOf(doubt.host, context);
  const resolution = await context.resolveDoubt(doubt, peer, how, context.uid, context.now().toISOString());
  const settled = ['resumed', 'released', 'closed'].includes(resolution.outcome);
  if (options.json) {
    const { outcome, verdict, lines } = resolution;
    const { epoch, migrationId } = doubt;
    context.out(`${JSON.stringify({ guest, epoch, migrationId, settled, outcome, verdict, lines })}\n`);
  } else {
    const p = paint(context.colour);
    const head = `${guest}, epoch ${doubt.epoch}: ${settled ? p.green(resolution.outcome) : p.yellow(resolution.outcome)}`;
    context.out(`${[head, ...resolution.lines.map((line) => `  ${line}`)].join('\n')}\n`);
  }
  return settled ? EXIT_OK : EXIT_FAILED;
}

async function findGuests({ run }: HostOptions, context: HostContext): Promise<FoundGuest[]> {
  const hosts = await context.findHosts(run === undefined ? context.runDirectories() : [run]);
  return hosts.flatMap((host) => context.guestsOf(host));
}

/** A run has two hosts: the other store of the same directory. */
async function peerOf(host: FoundHost, context: HostContext): Promise<FoundHost | null> {
  const hosts = await context.findHosts([directoryOf(host)]);
  return hosts.find((h) => h.site !== host.site) ?? null;
}

function isDoubt({ state }: FoundGuest): boolean {
  return state === 'in-doubt' || state === 'kept' || state === 'memory-lost';
}

function describe(guests: readonly FoundGuest[]): string {
  return guests.map(({ host, state }) => `${state} at ${host.site.toUpperCase()}`).join(', ');
}

function directoryOf({ recordsPath }: FoundHost): string {
  return recordsPath.slice(0, recordsPath.lastIndexOf('/'));
}

function asJson({ host, guest, epoch, migrationId, state }: FoundGuest): object {
  return {
    run: host.run,
    directory: directoryOf(host),
    site: host.site,
    guest,
    epoch,
    migrationId,
    state,
    storeId: host.storeId,
    writtenAt: host.writtenAt.toISOString(),
    pid: host.live?.pid ?? null,
  };
}
