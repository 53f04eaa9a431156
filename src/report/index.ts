export * from './quantile.js';
export * from './summary.js';
export * from './table.js';
export * from './verdict.js';
