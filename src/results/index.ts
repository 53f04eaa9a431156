export { type Merged, mergeStores } from './merge.js';
export {
  RESULT_NAME,
  type ResultsErrorCode,
  readJson,
  readResult,
  type StoredResult,
} from './result-file.js';
export { type Cell, COLUMNS, type ColumnType, csvOf, ndjsonOf, type Row, rowsOf } from './row.js';
export { ResultStore, type StoreEntry, type Unreadable } from './store.js';
