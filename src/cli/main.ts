#!/usr/bin/env node
/**
 * The `longhaul` command: the one file that touches the process. It turns Ctrl-C into an abort, errors
 * into one line and an exit code, and loads the lab only when a run asks for it, so that `--help` is
 * instant and needs no native library.
 */
import { readFileSync } from 'node:fs';
import { doctorText } from './doctor.js';
import { EXIT_OK, errorLine, exitCodeOf } from './exit-codes.js';
import { profilesJson, profilesText } from './profiles.js';
import { type Commands, runProgram } from './program.js';
import { coloured, run } from './run.js';

const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};
const { stdout, stderr, env } = process;

const commands: Commands = {
  run: async (file, typed) => {
    // Before anything is made: an unprivileged user's command starts over inside a user namespace.
    if (typed.attach !== 'loopback') (await import('../lab/user-namespace.js')).enterUserNamespace();
    const interrupt = new AbortController();
    // A second Ctrl-C changes nothing: cleaning up is bounded, and leaving half of it would not be.
    process.on('SIGINT', () => interrupt.abort());
    process.on('SIGTERM', () => interrupt.abort());
    return run(file, typed, {
      stdout,
      stderr,
      env,
      startedAt: new Date(),
      signal: interrupt.signal,
      runExperiment: async (experiment, hooks) =>
        (await import('../lab/run.js')).runExperiment(experiment, hooks),
    });
  },
  doctor: async (json) => {
    (await import('../lab/user-namespace.js')).enterUserNamespace();
    const probes = await (await import('../lab/doctor.js')).probeMachine();
    stdout.write(`${json ? JSON.stringify(probes) : doctorText(probes, coloured(stdout, env))}\n`);
    return EXIT_OK;
  },
  profiles: async (json) => {
    stdout.write(`${json ? JSON.stringify(profilesJson()) : profilesText(coloured(stdout, env))}\n`);
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
