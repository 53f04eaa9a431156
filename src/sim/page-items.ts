/** What travels on page links: batches of pages, the end of a round, and demands the other way. */
import { PAGE_SIZE } from '../core/index.js';
import type { PageContent } from './memory.js';

/** Header of one page in a page stream, and of a page of zeros, bytes (page-stream.ts). */
const PAGE_HEADER_BYTES = 16;
const END_BYTES = 16;
const DEMAND_BYTES = 8;

export type PageItem =
  /** The first on every link: whose pages these are. */
  | { readonly type: 'preamble'; readonly migrationId: string }
  | {
      readonly type: 'pages';
      readonly round: number;
      readonly pfns: readonly number[];
      readonly contents: readonly PageContent[];
    }
  | { readonly type: 'end'; readonly round: number }
  | { readonly type: 'demand'; readonly pfn: number };

/** What an item takes on its stream. */
export function itemBytes(item: PageItem): number {
  switch (item.type) {
    case 'pages':
      return item.contents.reduce((sum, c) => sum + contentBytes(c), 0);
    case 'demand':
      return DEMAND_BYTES;
    default:
      return END_BYTES;
  }
}

/** A page of zeros travels as a number. */
export function contentBytes(content: PageContent): number {
  return isZero(content) ? PAGE_HEADER_BYTES : PAGE_HEADER_BYTES + PAGE_SIZE;
}

export function isZero({ lo, hi }: PageContent): boolean {
  return lo === 0 && hi === 0;
}
