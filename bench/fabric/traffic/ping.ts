/** Round trips through a testbed by the system's own ping (Debian package iputils-ping). */
import { runAt, type Testbed } from '../testbed.js';

const INTERVAL_S = 0.005;
/** The first round trips resolve addresses and warm caches. */
const UNCOUNTED = 20;

/** @returns round-trip times in µs, as ping printed them */
export async function roundTripsUs(testbed: Testbed, count: number): Promise<number[]> {
  const [a, b] = testbed.ends;
  const out = await runAt(a, 'ping', '-c', String(count + UNCOUNTED), '-i', String(INTERVAL_S), b.ip);
  const rtts = [...out.matchAll(/time=([\d.]+) ms/g)].map((m) => Number(m[1]) * 1000);
  if (rtts.length < count)
    throw new Error(`${rtts.length} of ${count + UNCOUNTED} pings through ${testbed.name} came back`);
  return rtts.slice(UNCOUNTED);
}
