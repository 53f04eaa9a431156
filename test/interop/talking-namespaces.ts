/**
 * Real programs that talk between two network namespaces joined by a veth pair, and tcpdump that listens: captures which
 * nothing of this project has made. All of it is gone when the shell that makes it ends.
 */
import { spawn } from 'node:child_process';

/** What talks: `near` runs here and `far` in the other namespace, whose address is 10.9.0.2. */
export interface Talk {
  readonly name: string;
  /** Serves until it is ended. */
  readonly far: string;
  readonly near: string;
  /** Leave the veth pair's offloads on: super-frames of up to 64 KiB. */
  readonly offload: boolean;
}

const SSHD = [
  'mkdir -p /run/sshd && ssh-keygen -q -t ed25519 -N "" -f $dir/key &&',
  'exec $(command -v sshd || echo /usr/sbin/sshd) -D -p 2222 -h $dir/key -o AuthorizedKeysFile=$dir/key.pub',
  '-o StrictModes=no -o UsePAM=no -o PidFile=none',
].join(' ');
const SSH =
  'ssh -q -i $dir/key -p 2222 -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null root@10.9.0.2';
const HTTP =
  "require('http').createServer((_, r) => r.end(Buffer.alloc(400000, 'x'))).listen(8080, '10.9.0.2')";

export const TALKS: readonly Talk[] = [
  { name: 'iperf3', far: 'exec iperf3 -s', near: 'iperf3 -c 10.9.0.2 -n 4M -l 64K', offload: true },
  {
    name: 'curl',
    far: `exec ${process.execPath} -e "${HTTP}"`,
    near: 'for i in 1 2 3; do curl -sS -o /dev/null http://10.9.0.2:8080/; done',
    offload: false,
  },
  { name: 'ssh', far: SSHD, near: `${SSH} 'head -c 300000 /dev/urandom' | wc -c`, offload: false },
];

/** Captures a talk at its near end. @param dir holds keys and the file @returns what was said, and the exit code */
export async function captureTalk(
  talk: Talk,
  dir: string,
  file: string,
): Promise<{ code: number; said: string }> {
  const script = `set -e
    dir=${dir}
    mount -t tmpfs none /run
    unshare -n sleep 120 & peer=$!
    trap 'kill $peer $served $listens 2>/dev/null || true' EXIT
    until [ "$(readlink /proc/$peer/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.05; done
    ip link add left type veth peer name right netns $peer
    far() { nsenter -t $peer -n sh -c "dir=$dir; $*"; }
    ip addr add 10.9.0.1/24 dev left && ip link set left up && ip link set lo up
    far 'ip addr add 10.9.0.2/24 dev right && ip link set right up && ip link set lo up'
    ${talk.offload ? '' : "ethtool -K left tso off gso off gro off tx off >/dev/null; far 'ethtool -K right tso off gso off gro off tx off >/dev/null'"}
    nsenter -t $peer -n sh -c 'dir=${dir}; ${talk.far.replaceAll("'", `'\\''`)}' & served=$!
    tcpdump -Z root -q -i left -B 65536 --immediate-mode --time-stamp-precision=nano -w ${file} 'tcp or arp' & listens=$!
    sleep 1.5
    ${talk.near}
    sleep 0.5
    kill -INT $listens; wait $listens || true`;
  const child = spawn('unshare', ['-n', '-m', 'sh', '-c', script], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text) => {
      said += text;
    });
  }
  const code = await new Promise<number>((resolve) => child.once('close', (status) => resolve(status ?? -1)));
  return { code, said };
}
