#!/usr/bin/env node
/**
 * The `longhaul` command: the one file that touches the process. It turns Ctrl-C into an abort, errors
 * into one line and an exit code, and loads the lab only when a run asks for it, so that `--help` is
 * instant and needs no native library.
 */
import { readFileSync } from 'node:fs';
import type { QemuTyped } from '../lab/qemu/plan.js';
import { bridge, intervalOf } from './bridge.js';
import type { CaptureReadContext } from './capture-show.js';
import { ctl } from './ctl.js';
import { doctorText } from './doctor.js';
import { EXIT_OK, errorLine, exitCodeOf } from './exit-codes.js';
import { type HostContext, hostList, hostResolve } from './host.js';
import { peerOverridesOf } from './options.js';
import { profileFileJson, profileFileText, profilesJson, profilesText } from './profiles.js';
import { type Commands, runProgram } from './program.js';
import type { ResultsContext } from './results.js';
import { coloured, run, watchRun } from './run.js';
import type { SweepContext } from './sweep.js';

const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};
const { stdout, stderr, env } = process;

async function hostContext(): Promise<HostContext> {
  const { findHosts, guestsOf, resolveDoubt, runDirectories } = await import('../host/index.js');
  return {
    out: (text) => stdout.write(text),
    colour: coloured(stdout, env),
    uid: process.getuid?.() ?? 0,
    now: () => new Date(),
    findHosts,
    guestsOf,
    resolveDoubt,
    runDirectories,
  };
}

async function captureReadContext(): Promise<CaptureReadContext> {
  const { openCapture } = await import('../capture/files/index.js');
  return { out: (text) => stdout.write(text), colour: coloured(stdout, env), openCapture };
}

const resultsContext: ResultsContext = {
  out: (text) => stdout.write(text),
  err: (text) => stderr.write(text),
  colour: coloured(stdout, env),
};

async function sweepContext(): Promise<SweepContext> {
  const { enterUserNamespace } = await import('../lab/user-namespace.js');
  const end = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => end.abort());
  return {
    out: (text) => stdout.write(text),
    err: (text) => stderr.write(text),
    signal: end.signal,
    enterUserNamespace,
  };
}

const commands: Commands = {
  run: async (file, typed) => {
    // Before anything is made: an unprivileged user's command starts over inside a user namespace.
    if (typed.attach !== 'loopback' && typed.attach !== 'sim')
      (await import('../lab/user-namespace.js')).enterUserNamespace();
    const interrupt = new AbortController();
    // A second Ctrl-C changes nothing: cleaning up is bounded, and leaving half of it would not be.
    process.on('SIGINT', () => interrupt.abort());
    process.on('SIGTERM', () => interrupt.abort());
    return run(file, typed, {
      // With --capture - standard output is the capture.
      stdout: typed.capture === '-' ? stderr : stdout,
      stderr,
      env,
      startedAt: new Date(),
      signal: interrupt.signal,
      runExperiment: async (experiment, hooks) =>
        (await import('../lab/run.js')).runExperiment(experiment, hooks),
    });
  },
  bridge: async (file, typed) => {
    const { needsNamespaces, parseBridge, readBridgeFile } = await import('../lab/bridge/file.js');
    intervalOf(typed);
    const plan = parseBridge(readBridgeFile(file));
    if (needsNamespaces(plan)) (await import('../lab/user-namespace.js')).enterUserNamespace();
    const end = new AbortController();
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => end.abort());
    return bridge(plan, typed, {
      stdout: typed.capture === '-' ? stderr : stdout,
      env,
      signal: end.signal,
      startBridge: (await import('../lab/bridge/run.js')).startBridge,
    });
  },
  captureShow: async (file, typed) =>
    (await import('./capture-show.js')).captureShow(file, typed, await captureReadContext()),
  captureDiff: async (a, b, typed) =>
    (await import('./capture-diff.js')).captureDiff(a, b, typed, await captureReadContext()),
  replay: async (file, typed) => {
    const interrupt = new AbortController();
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => interrupt.abort());
    return (await import('./replay.js')).replayCommand(file, typed, {
      // With --capture - or --out-capture - standard output is the capture.
      stdout: typed.capture === '-' || typed.outCapture === '-' ? stderr : stdout,
      stderr,
      colour: coloured(stdout, env),
      signal: interrupt.signal,
      openCapture: (await import('../capture/files/index.js')).openCapture,
      replay: (await import('../replay/index.js')).replay,
    });
  },
  captureRecord: async (file, typed) => {
    const { findBridges, socketPath } = await import('../lab/bridge/sockets.js');
    const { ControlClient } = await import('../lab/bridge/client.js');
    const end = new AbortController();
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => end.abort());
    return (await import('./capture-record.js')).captureRecord(file, typed, {
      out: (text) => stdout.write(text),
      err: (text) => stderr.write(text),
      colour: false,
      pid: process.pid,
      signal: end.signal,
      findBridges,
      socketPath,
      connect: ControlClient.open,
    });
  },
  ctl: async (call, options) => {
    const { findBridges, socketPath } = await import('../lab/bridge/sockets.js');
    const { ControlClient } = await import('../lab/bridge/client.js');
    return ctl(call, options, {
      out: (text) => stdout.write(text),
      colour: coloured(stdout, env),
      findBridges,
      socketPath,
      connect: ControlClient.open,
    });
  },
  console: async (typed) => {
    const { AttachedConsole, consoleOf } = await import('../lab/console.js');
    const { runDirectories } = await import('../host/index.js');
    return (await import('./console.js')).consoleCommand(typed, {
      stdin: process.stdin,
      stdout,
      stderr,
      attach: (path) => new AttachedConsole(path),
      consoleOf,
      runDirectories,
    });
  },
  guestBuild: async (_linux, typed) => {
    const { buildLinux, linuxImageFolder } = await import('../guest/linux/index.js');
    const tell = (text: string): boolean => stderr.write(`${text}\n`);
    const image = await buildLinux(typed.into ?? linuxImageFolder(env), tell);
    if (image.complaint !== null) tell(`apt said: ${image.complaint}`);
    const { kernel, initramfs, version, bytes } = image;
    const text = `${kernel}\n${initramfs}\nkernel ${version}, ${(bytes / 1e6).toFixed(1)} MB`;
    stdout.write(`${typed.json ? JSON.stringify(image) : text}\n`);
    return EXIT_OK;
  },
  qemuMigrate: async (typed) => {
    const { qemuPlan } = await import('../lab/qemu/plan.js');
    const plan = qemuPlan(peerOverridesOf(typed), typed as QemuTyped);
    (await import('../lab/user-namespace.js')).enterUserNamespace();
    const { runQemu } = await import('../lab/qemu/run-qemu.js');
    const interrupt = new AbortController();
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => interrupt.abort());
    const context = {
      stdout: typed.capture === '-' ? stderr : stdout,
      stderr,
      env,
      startedAt: new Date(),
      signal: interrupt.signal,
    };
    return watchRun(plan.experiment.outDir, typed, context, (hooks) => runQemu(plan, hooks));
  },
  hostList: async (options) => hostList(options, await hostContext()),
  hostResolve: async (guest, how, options) => hostResolve(guest, how, options, await hostContext()),
  resultsList: async (typed) => (await import('./results.js')).resultsList(typed, resultsContext),
  resultsShow: async (word, typed) => (await import('./results.js')).resultsShow(word, typed, resultsContext),
  resultsCompare: async (words, typed) =>
    (await import('./results.js')).resultsCompare(words, typed, resultsContext),
  resultsExport: async (words, typed) =>
    (await import('./results.js')).resultsExport(words, typed, resultsContext),
  resultsMerge: async (parts, into, typed) =>
    (await import('./results.js')).resultsMerge(parts, into, typed, resultsContext),
  report: async (words, typed) => (await import('./report.js')).report(words, typed, resultsContext),
  sweep: async (file, typed) => (await import('./sweep.js')).sweep(file, typed, await sweepContext()),
  worker: async (typed) => (await import('./sweep.js')).worker(typed, await sweepContext()),
  tune: async (typed) => {
    (await import('../lab/user-namespace.js')).enterUserNamespace();
    return (await import('./tune.js')).tune(typed, {
      ...(await sweepContext()),
      colour: coloured(stdout, env),
      argv: process.argv.slice(2),
    });
  },
  calibrate: async (typed) => {
    (await import('../lab/user-namespace.js')).enterUserNamespace();
    const interrupt = new AbortController();
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => interrupt.abort());
    return (await import('./calibrate.js')).calibrateCommand(typed, {
      out: (text) => stdout.write(text),
      err: (text) => stderr.write(text),
      signal: interrupt.signal,
      runExperiment: (await import('../lab/run.js')).runExperiment,
    });
  },
  doctor: async (json) => {
    (await import('../lab/user-namespace.js')).enterUserNamespace();
    const probes = await (await import('../lab/doctor.js')).probeMachine();
    stdout.write(`${json ? JSON.stringify(probes) : doctorText(probes, coloured(stdout, env))}\n`);
    return EXIT_OK;
  },
  profiles: async (file, json) => {
    const colour = coloured(stdout, env);
    const text = (): string => (file === undefined ? profilesText(colour) : profileFileText(file, colour));
    const value = (): unknown => (file === undefined ? profilesJson() : profileFileJson(file));
    stdout.write(`${json ? JSON.stringify(value()) : text()}\n`);
    return EXIT_OK;
  },
};

// A reader that has seen enough (`longhaul profiles | head -1`) is no error.
stdout.on('error', (e: NodeJS.ErrnoException) => {
  if (e.code !== 'EPIPE') throw e;
});

try {
  process.exitCode = await runProgram(process.argv.slice(2), version, commands, {
    out: (text) => stdout.write(text),
    err: (text) => stderr.write(text),
  });
} catch (e) {
  stderr.write(`${errorLine(e)}\n`);
  process.exitCode = exitCodeOf(e);
}
