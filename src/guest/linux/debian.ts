/**
 * Packages of Debian's i386, fetched without root and without touching this machine's package system: the configured
 * mirrors and keys are used, lists and downloads go to a folder of our own.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { EnvironmentError, LonghaulError } from '../../core/index.js';
import type { LinuxImageErrorCode } from './errors.js';

const run = promisify(execFile);
const OUTPUT_BYTES = 16 * 2 ** 20;
/** Only what a package cannot do without. */
const NEEDED_ONLY = ['recommends', 'suggests', 'conflicts', 'breaks', 'replaces', 'enhances'].map(
  (kind) => `--no-${kind}`,
);
const NO_DEBIAN =
  'build on Debian or one of its kin; the kernel and initramfs can then be copied to any machine';

export class DebianPackages {
  readonly #folder: string;
  readonly #options: readonly string[];

  /** @param folder for lists and downloads; it is made */
  constructor(folder: string) {
    this.#folder = folder;
    for (const sub of ['lists/partial', 'cache/archives/partial', 'debs'])
      mkdirSync(join(folder, sub), { recursive: true });
    // Nothing is installed as far as these commands know.
    writeFileSync(join(folder, 'status'), '');
    const settings = {
      'Dir::State': folder,
      'Dir::State::lists': join(folder, 'lists'),
      'Dir::State::status': join(folder, 'status'),
      'Dir::Cache': join(folder, 'cache'),
      'APT::Architecture': 'i386',
      'APT::Architectures::': 'i386',
      // As root, apt would give up its rights for a user that cannot write here.
      'APT::Sandbox::User': '',
    };
    this.#options = Object.entries(settings).flatMap(([key, value]) => ['-o', `${key}=${value}`]);
  }

  /**
   * Fetches the lists of packages.
   * @returns what apt complained of: one of several sources that fails is no reason to stop
   */
  async update(): Promise<string | null> {
    const { stderr } = await this.#tool('apt-get', ['update'], true);
    return /^[EW]: .*$/m.exec(stderr)?.[0] ?? null;
  }

  /** The first package that another one, which has no content of its own, stands for. */
  async standsFor(name: string): Promise<string> {
    const { stdout } = await this.#tool('apt-cache', ['depends', ...NEEDED_ONLY, name]);
    const found = /^ {2}Depends: ([a-z0-9][\w.+-]*)$/m.exec(stdout)?.[1];
    if (found === undefined) throw this.#lack(`${name} stands for no package`);
    return found;
  }

  /** These packages and all that they need. */
  async withNeeds(names: readonly string[]): Promise<string[]> {
    const { stdout } = await this.#tool('apt-cache', ['depends', '--recurse', ...NEEDED_ONLY, ...names]);
    // A package stands at the beginning of its line; what it needs is indented, virtual names are in brackets.
    return [...new Set(stdout.split('\n').filter((line) => /^[a-z0-9]/.test(line)))];
  }

  /** Downloads packages and unpacks them into one tree. @param into a folder that is there */
  async unpack(names: readonly string[], into: string): Promise<void> {
    const debs = join(this.#folder, 'debs');
    await this.#tool('apt-get', ['download', ...names], false, debs);
    for (const file of readdirSync(debs).filter((f) => f.endsWith('.deb')))
      await this.#tool('dpkg-deb', ['-x', join(debs, file), into], false, debs, []);
  }

  async #tool(
    program: string,
    words: readonly string[],
    mayFail = false,
    cwd = this.#folder,
    options = this.#options,
  ): Promise<{ stdout: string; stderr: string }> {
    try {
      return await run(program, [...options, ...words], {
        cwd,
        maxBuffer: OUTPUT_BYTES,
        env: { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' },
      });
    } catch (cause) {
      const failed = cause as { code?: string | number; stdout?: string; stderr?: string };
      if (failed.code === 'ENOENT') {
        throw new EnvironmentError<LinuxImageErrorCode>('GUEST_LINUX_TOOLS', `${program} is not here`, {
          cause,
          hint: NO_DEBIAN,
        });
      }
      if (mayFail) return { stdout: failed.stdout ?? '', stderr: failed.stderr ?? '' };
      const words = /^E: (.*)$/m.exec(failed.stderr ?? '')?.[1] ?? `exit code ${failed.code}`;
      throw this.#lack(`${program} failed: ${words}`);
    }
  }

  #lack(text: string): LonghaulError<LinuxImageErrorCode> {
    return new LonghaulError('GUEST_LINUX_PACKAGE', text, {
      hint: 'see that this machine reaches a mirror that has i386, or give a suite that has (Debian 12 has)',
    });
  }
}
