/** Debian's Chromium, driven by playwright-core with a profile of its own that is removed afterwards. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];

/** The browser's path; null when none is installed. */
export function findChromium(): string | null {
  for (const dir of (process.env.PATH ?? '').split(delimiter))
    for (const name of NAMES) {
      try {
        accessSync(join(dir, name), constants.X_OK);
        return join(dir, name);
      } catch {
        // not here
      }
    }
  return null;
}

export const NO_CHROMIUM = findChromium() === null ? 'no Chromium (Debian package chromium)' : null;

/** Its sandbox needs user namespaces that a container may refuse; what is opened here is our own page. */
export function openChromium(): Promise<Browser> {
  return chromium.launch({ executablePath: findChromium()!, args: ['--no-sandbox'] });
}
