/**
 * `MODEL[:RATE]`, how a person says what the guest writes:
 *
 *   idle                     writes nothing
 *   sweep:12800pages/s       one byte in each page of a range, in order
 *   uniform:50MB/s           pages drawn evenly: 50e6 / 4096 of them a second
 *   zipf:0.5GB/s             a hot set: few pages often, many seldom
 *
 * A rate in bytes counts whole pages of 4096, since one byte written makes a page travel.
 */
import { ConfigError, PAGE_SIZE, parseSize } from '../../core/index.js';
import { DIRTY_MODELS } from './experiment.js';
import { nearest } from './nearest.js';

export type DirtyModel = (typeof DIRTY_MODELS)[number];
export type DirtyErrorCode = 'LAB_DIRTY_MODEL' | 'LAB_DIRTY_RATE';

export interface DirtyModelAndRate {
  readonly model: DirtyModel;
  /** Pages written per second; 0 for `idle`. */
  readonly pagesPerS: number;
}

/** What a model without a rate writes, as the default experiment does. */
export const DEFAULT_DIRTY_RATE = '50MB/s';
const MAX_BYTES_PER_S = 20e9;
const FORM = 'MODEL[:RATE], such as uniform:50MB/s or sweep:12800pages/s';

/**
 * @param option the name the user knows it by
 * @throws ConfigError `LAB_DIRTY_MODEL`, `LAB_DIRTY_RATE`
 */
export function parseDirty(text: string | number, option: string): DirtyModelAndRate {
  const [word = '', rate, ...rest] = String(text).trim().split(':');
  const model = DIRTY_MODELS.find((m) => m === word.toLowerCase());
  if (model === undefined) {
    const meant = nearest(word, DIRTY_MODELS);
    throw new ConfigError<DirtyErrorCode>(
      'LAB_DIRTY_MODEL',
      `${option} ${JSON.stringify(text)} names no dirty model; the models are ${DIRTY_MODELS.join(', ')}`,
      { hint: meant ? `did you mean ${meant}?` : `write ${FORM}` },
    );
  }
  if (model === 'idle' && rate === undefined) return { model, pagesPerS: 0 };
  const pagesPerS = model === 'idle' || rest.length > 0 ? null : pagesPerSecond(rate ?? DEFAULT_DIRTY_RATE);
  if (pagesPerS === null) {
    throw new ConfigError<DirtyErrorCode>(
      'LAB_DIRTY_RATE',
      model === 'idle'
        ? `${option} ${JSON.stringify(text)} gives idle a rate, but it writes nothing`
        : `${option} ${JSON.stringify(text)} has no rate in 0..20GB/s`,
      { hint: model === 'idle' ? 'write idle alone' : `write ${FORM}` },
    );
  }
  return { model, pagesPerS };
}

function pagesPerSecond(text: string): number | null {
  const rate = /^\s*(.+?)\s*\/\s*s$/i.exec(text)?.[1];
  if (rate === undefined) return null;
  const pages = /^(\d+\.?\d*|\.\d+)\s*pages?$/i.exec(rate)?.[1];
  if (pages !== undefined) return Number(pages) * PAGE_SIZE <= MAX_BYTES_PER_S ? Number(pages) : null;
  try {
    return parseSize(rate, '', { min: 0, max: MAX_BYTES_PER_S, text: '0..20GB' }) / PAGE_SIZE;
  } catch {
    return null;
  }
}
