/**
 * Where the control sockets of this user's bridges are, and which of them have a bridge behind them.
 *
 *   $XDG_RUNTIME_DIR/longhaul/NAME.sock      else /tmp/longhaul-UID/NAME.sock, in a directory of mode 0700
 */
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError } from '../../core/index.js';
import { askGreeting } from './client.js';
import type { Greeting } from './protocol.js';

/** sockaddr_un has 108 bytes, one of them for the NUL. unix(7) */
const MAX_PATH_BYTES = 107;
const SUFFIX = '.sock';

export interface FoundBridge extends Greeting {
  readonly path: string;
}

/** The directory of this user's sockets; it need not exist. */
export function socketDirectory(env: NodeJS.ProcessEnv = process.env): string {
  const runtime = env.XDG_RUNTIME_DIR;
  return runtime ? join(runtime, 'longhaul') : join(tmpdir(), `longhaul-${outerUid()}`);
}

/** A bridge's socket: a path as it is, a bare name in the user's directory. */
export function socketPath(nameOrPath: string): string {
  return nameOrPath.includes('/') ? nameOrPath : join(socketDirectory(), `${nameOrPath}${SUFFIX}`);
}

/**
 * Makes a socket's place ready: the directory exists, is this user's alone when it is the default one, and nothing
 * stands there but perhaps the socket of a bridge that was killed, which is removed.
 * @throws ConfigError LAB_CONTROL_PATH, LAB_BRIDGE_RUNS
 */
export async function claimSocket(path: string): Promise<void> {
  const refuse = (why: string, hint: string): never => {
    throw new ConfigError('LAB_CONTROL_PATH', `control ${path}: ${why}`, { hint });
  };
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) {
    refuse(`the path is longer than ${MAX_PATH_BYTES} bytes`, 'give a shorter one, such as /tmp/lh.sock');
  }
  const directory = socketDirectory();
  if (path.startsWith(`${directory}/`)) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const { uid, mode } = lstatSync(directory);
    if (uid !== process.getuid?.() || (mode & 0o077) !== 0) {
      refuse(
        `${directory} is not this user's alone`,
        `chmod 700 ${directory}, or give control: another path`,
      );
    }
  }
  if (!existsSync(path)) return;
  if (!lstatSync(path).isSocket()) refuse('this is a file and no socket', 'give a path where nothing is');
  const running = await askGreeting(path);
  if (running !== null) {
    throw new ConfigError(
      'LAB_BRIDGE_RUNS',
      `control ${path}: the bridge ${running.name} runs there already (process ${running.pid})`,
      { hint: 'end that one first, or give this one another name: or control:' },
    );
  }
  rmSync(path, { force: true });
}

/** This user's bridges that answer, by name. */
export async function findBridges(directory = socketDirectory()): Promise<readonly FoundBridge[]> {
  if (!existsSync(directory)) return [];
  const paths = readdirSync(directory)
    .filter((file) => file.endsWith(SUFFIX))
    .sort()
    .map((file) => join(directory, file));
  const found = await Promise.all(
    paths.map(async (path) => {
      const greeting = await askGreeting(path);
      return greeting === null ? [] : [{ ...greeting, path }];
    }),
  );
  return found.flat();
}

/** The user as the host knows it: inside a user namespace of our own everyone is root. user_namespaces(7) */
function outerUid(): number {
  const uid = process.getuid?.() ?? 0;
  const [inside, outside, count] = readFileSync('/proc/self/uid_map', 'utf8').trim().split(/\s+/).map(Number);
  const mapped = uid >= inside! && uid < inside! + count!;
  return mapped ? uid - inside! + outside! : uid;
}
