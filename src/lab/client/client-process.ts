/**
 * A client: a process of its own that holds sessions with the guest and keeps an exact ledger of each.
 *
 *   icmp         an echo request every ten milliseconds
 *   service      a request every millisecond (UDP), answered from a model's memory: a stale page shows as a wrong answer
 *   tcp-echo     a machine: a numbered record every millisecond over the kernel's TCP, each byte of the echo compared
 *   tcp-counter  a machine: lines that count, over another connection
 *   http         a Linux: downloads of a file, one after the other, each against its checksum
 *   udp-echo     a machine, where there is no kernel network: a numbered datagram every millisecond
 *
 * It also measures the round trip between the sites before the first move (`probe`).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../core/index.js';
import {
  CounterLedger,
  EchoLedger,
  SERVICE_PORT,
  ServiceLedger,
  type SessionBook,
  StreamEchoLedger,
  slotPagesOf,
} from '../../guest/index.js';
import { formatIpv4 } from '../../l2/index.js';
import { actPromptly, dieWithParent, nameThread, nowNs } from '../../sys/index.js';
import type { SessionKind } from '../result.js';
import { DownloadLedger, HttpSession } from './http-session.js';
import type { ClientOrders, ClientReply, ClientRequest, ProbeResult } from './protocol.js';
import { TcpSession } from './tcp-session.js';
import { openKernelWire, openPortWire, type Wire } from './wires.js';

/** Payload of a probe, as long as ping's. */
const PROBE_PAYLOAD = new Uint8Array(56);
/** Services of a machine: RFC 862, and where others have chargen (RFC 864). */
const ECHO_PORT = 7;
const COUNTER_PORT = 19;
/** Between two records of an echoed stream; an emulated Linux that echoes each millisecond does nothing else. */
const LEAST_NS = { pc: 0, linux: 10_000_000 };
const SESSION_ECHO_ID = 0x4c01;
const PROBE_ECHO_ID = 0x4c02;
/** How long an answer to the last probe may take. */
const PROBE_PATIENCE_MS = 1000;
/** An answer that takes longer than this is lost. */
const OVERDUE_NS = 500_000_000;

dieWithParent();
nameThread('client');
actPromptly();

let wire: Wire | null = null;
let orders: ClientOrders | null = null;
let icmp: EchoLedger | null = null;
/** Takes the datagrams that come back. */
let onDatagram: (atNs: number, payload: Uint8Array) => void = () => {};
const sessions: { readonly kind: SessionKind; readonly book: SessionBook }[] = [];
const stops: (() => void)[] = [];
let droppedBefore = 0;
/** While an account is taken. */
let quiet = false;
let onProbeEcho: ((atNs: number, seq: number) => void) | null = null;

function reply(message: ClientReply): void {
  process.send?.(message);
}

/** The ICMP identifier of this client's session. */
function echoIdOf(o: ClientOrders): number {
  return (SESSION_ECHO_ID + o.clientId * 16) & 0xffff;
}

/** Calls `send` once per interval, on a grid: a late tick is followed by as many sends as were due. */
function every(intervalNs: number, send: (nowNs: number) => void): () => void {
  let nextNs = nowNs();
  const timer = setInterval(
    () => {
      const now = nowNs();
      // A process that was not scheduled for long sends at most a few at once, as a real client would.
      if (now - nextNs > 10 * intervalNs) nextNs = now - intervalNs;
      for (; nextNs <= now; nextNs += intervalNs) if (!quiet) send(nowNs());
    },
    Math.max(1, Math.floor(intervalNs / 2e6)),
  );
  return () => clearInterval(timer);
}

async function begin(o: ClientOrders): Promise<void> {
  orders = o;
  const handlers = {
    onDatagram: (atNs: number, payload: Uint8Array): void => onDatagram(atNs, payload),
    onEcho: (atNs: number, id: number, seq: number, payload: Uint8Array): void => {
      if (id === PROBE_ECHO_ID) onProbeEcho?.(atNs, seq);
      else if (id === echoIdOf(o)) icmp?.answer(atNs, seq, payload, 0, payload.length);
    },
  };
  wire =
    o.attach.kind === 'kernel'
      ? await openKernelWire(handlers, o.attach.echo)
      : await openPortWire(o.attach, handlers);
  reply({ type: 'ready', icmpMethod: wire.icmp, note: wire.note });
}

function startSessions(): void {
  const o = orders!;
  const w = wire!;
  if (o.icmpIntervalNs !== null && w.icmp !== null) {
    const ledger = new EchoLedger();
    icmp = ledger;
    sessions.push({ kind: 'icmp', book: ledger });
    stops.push(
      every(o.icmpIntervalNs, (now) => {
        w.sendEcho(o.guestIp, echoIdOf(o), ledger.next(now), ledger.payload);
      }),
    );
  }
  if (o.serviceIntervalNs === null) return;
  if (o.guestKind === 'workload') startService(o, w, o.serviceIntervalNs);
  else if (o.attach.kind === 'kernel') startStreams(o, Math.max(o.serviceIntervalNs, LEAST_NS[o.guestKind]));
  else startDatagrams(o, w, o.serviceIntervalNs);
}

function startService(o: ClientOrders, w: Wire, intervalNs: number): void {
  const ledger = new ServiceLedger(o.clientId, slotPagesOf(o.guestPages));
  sessions.push({ kind: 'service', book: ledger });
  onDatagram = (atNs, payload) => ledger.answer(atNs, payload);
  stops.push(every(intervalNs, (now) => w.sendDatagram(o.guestIp, SERVICE_PORT, ledger.next(now))));
}

function startDatagrams(o: ClientOrders, w: Wire, intervalNs: number): void {
  const ledger = new EchoLedger();
  sessions.push({ kind: 'udp-echo', book: ledger });
  onDatagram = (atNs, payload) => ledger.answer(atNs, sequenceIn(payload), payload, 0, payload.length);
  stops.push(
    every(intervalNs, (now) => {
      ledger.next(now);
      w.sendDatagram(o.guestIp, ECHO_PORT, ledger.payload);
    }),
  );
}

/** A UDP echo has no header with a sequence: the payload's own number says it. */
function sequenceIn(payload: Uint8Array): number {
  return payload.length < 12 ? -1 : (payload[10]! << 8) | payload[11]!;
}

function startStreams(o: ClientOrders, intervalNs: number): void {
  const echo = new StreamEchoLedger();
  const counter = new CounterLedger();
  const host = formatIpv4(o.guestIp);
  const talk = new TcpSession(host, ECHO_PORT, echo);
  const listen = new TcpSession(host, COUNTER_PORT, counter);
  sessions.push({ kind: 'tcp-echo', book: echo }, { kind: 'tcp-counter', book: counter });
  stops.push(
    every(intervalNs, (now) => {
      if (talk.isOpen) talk.send(echo.next(now));
    }),
    () => talk.close(),
    () => listen.close(),
  );
  if (o.guestKind !== 'linux') return;
  const downloads = new DownloadLedger();
  sessions.push({ kind: 'http', book: downloads });
  const http = new HttpSession(host, downloads);
  stops.push(() => http.close());
}

/**
 * Keeps the event loop from sleeping while a probe runs: a process that sleeps is woken some 30 µs late, and that
 * would stand in the round trip. @returns ends it
 */
function stayAwake(): () => void {
  let awake = true;
  const turn = (): void => {
    if (awake) setImmediate(turn);
  };
  turn();
  return () => {
    awake = false;
  };
}

function probe(ip: number, count: number, intervalNs: number): Promise<ProbeResult> {
  const w = wire!;
  if (w.icmp === null) return Promise.resolve({ method: 'bridge-port', rttsNs: [], lost: count });
  const sentAt = new Map<number, number>();
  const rttsNs: number[] = [];
  return new Promise((resolve) => {
    const sleepAgain = stayAwake();
    const finish = (): void => {
      stop();
      sleepAgain();
      clearTimeout(patience);
      onProbeEcho = null;
      resolve({ method: w.icmp!, rttsNs, lost: count - rttsNs.length });
    };
    let patience: NodeJS.Timeout | undefined;
    onProbeEcho = (atNs, seq) => {
      const sent = sentAt.get(seq);
      if (sent === undefined) return;
      sentAt.delete(seq);
      rttsNs.push(atNs - sent);
      if (rttsNs.length === count) finish();
    };
    let seq = 0;
    const stop = every(intervalNs, () => {
      if (seq === count) return;
      const number = ++seq;
      w.sendEcho(ip, PROBE_ECHO_ID, number, PROBE_PAYLOAD, () => sentAt.set(number, nowNs()));
      if (seq === count) patience = setTimeout(finish, PROBE_PATIENCE_MS);
    });
  });
}

/**
 * Stops asking until every request is answered, or its answer is overdue: an account that is taken while answers
 * are on their way would call them lost.
 */
async function quiesce(): Promise<void> {
  quiet = true;
  const deadlineNs = nowNs() + OVERDUE_NS;
  const outstanding = (): number => sessions.reduce((n, { book }) => n + book.stats().lost, 0);
  for (let before = outstanding(); before > 0 && nowNs() < deadlineNs; before = outstanding()) await sleep(2);
}

function newlyDropped(): number {
  const now = wire?.dropped() ?? 0;
  const since = now - droppedBefore;
  droppedBefore = now;
  return since;
}

async function handle(request: ClientRequest): Promise<void> {
  switch (request.type) {
    case 'begin':
      return begin(request.orders);
    case 'probe':
      return reply({ type: 'probed', result: await probe(request.ip, request.count, request.intervalNs) });
    case 'mark':
      if (sessions.length === 0) startSessions();
      for (const { book } of sessions) book.mark(request.what);
      return reply({ type: 'marked' });
    case 'account':
      await quiesce();
      reply({
        type: 'accounted',
        dropped: newlyDropped(),
        sessions: sessions.map(({ kind, book }) => ({ kind, seen: book.stats() })),
      });
      for (const { book } of sessions) book.reset();
      quiet = false;
      return;
    case 'end':
      for (const stop of stops) stop();
      wire?.close();
      process.disconnect();
  }
}

process.on('message', (request: ClientRequest) => {
  handle(request).catch((e) => reply({ type: 'failed', text: messageOf(e) }));
});
process.on('disconnect', () => process.exit(0));
// Ctrl-C reaches the whole process group: the lab ends its children in order.
process.on('SIGINT', () => {});
