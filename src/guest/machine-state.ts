/**
 * The state of an emulated machine on its way: all but memory, under a header that says for which machine it is.
 *
 *    0 magic 'LHPC'   4 version u16   6 bytes of the shape u16   8 bytes of the tree u32   12 runs u32   little-endian
 *   16 shape, UTF-8 │ tree, JSON │ runs {array u32, at u32, length u32, bytes}, in order, none overlapping
 *
 * The emulator hands out a tree of numbers, lists, maps, objects that hand out trees, and typed arrays. The tree
 * travels as JSON that names each typed array by kind and length; their bytes travel as runs with the zeros left out,
 * since most of them are the memory of a screen that shows nothing and the buffers of disks that are not there.
 * The shape names emulator, version, memory and devices. A state of another shape is refused.
 */

const MAGIC = 0x4350484c;
const VERSION = 1;
const HEADER_BYTES = 16;
const RUN_HEADER_BYTES = 12;
const SHAPE_BYTES_MAX = 128;
/** Bytes that are looked at together: a block that is not all zeros travels. */
const BLOCK_BYTES = 512;
const ZEROS = new Uint8Array(64 * 1024);
/** All typed arrays of a state together. */
export const ARRAY_BYTES_MAX = 64 * 2 ** 20;

const ARRAYS = {
  Uint8Array,
  Int8Array,
  Uint16Array,
  Int16Array,
  Uint32Array,
  Int32Array,
  Float32Array,
  Float64Array,
} as const;
type ArrayName = keyof typeof ARRAYS;
/** What stands in the JSON for a typed array: kind and length; the arrays are numbered as they are met. */
interface ArrayNode {
  readonly a: ArrayName;
  readonly n: number;
}

interface Failure {
  readonly ok: false;
  readonly code: 'GUEST_STATE_INVALID' | 'GUEST_STATE_SHAPE';
  readonly text: string;
}
export type StateCheck = { readonly ok: true } | Failure;
export type MachineStateResult = { readonly ok: true; readonly tree: unknown } | Failure;

/**
 * Packs to the beginning of `out`. Nothing of the tree is copied but what travels.
 * @returns bytes used, or -1 when it does not fit
 */
export function packMachineState(shape: string, tree: unknown, out: Uint8Array): number {
  const arrays: Uint8Array[] = [];
  const json = Buffer.from(JSON.stringify(plainOf(tree, arrays)));
  const name = Buffer.from(shape);
  let at = HEADER_BYTES + name.length + json.length;
  if (at > out.length) return -1;
  out.set(name, HEADER_BYTES);
  out.set(json, HEADER_BYTES + name.length);
  const view = new DataView(out.buffer, out.byteOffset, out.length);
  let runs = 0;
  for (let i = 0; i < arrays.length; i++) {
    const bytes = arrays[i]!;
    for (let start = nextUsed(bytes, 0); start < bytes.length; start = nextUsed(bytes, start)) {
      let end = start;
      while (end < bytes.length && !isZero(bytes, end, end + BLOCK_BYTES)) end += BLOCK_BYTES;
      end = Math.min(end, bytes.length);
      if (at + RUN_HEADER_BYTES + end - start > out.length) return -1;
      view.setUint32(at, i, true);
      view.setUint32(at + 4, start, true);
      view.setUint32(at + 8, end - start, true);
      out.set(bytes.subarray(start, end), at + RUN_HEADER_BYTES);
      at += RUN_HEADER_BYTES + end - start;
      runs++;
      start = end;
    }
  }
  view.setUint32(0, MAGIC, true);
  view.setUint16(4, VERSION, true);
  view.setUint16(6, name.length, true);
  view.setUint32(8, json.length, true);
  view.setUint32(12, runs, true);
  return at;
}

/** Whether `unpackMachineState` will take it, without making what it makes. Never throws, whatever the bytes. */
export function checkMachineState(bytes: Uint8Array, shape: string): StateCheck {
  const parts = partsOf(bytes, shape);
  return parts.ok ? { ok: true } : parts;
}

/** Never throws, whatever the bytes. @param shape of the machine that is to take it */
export function unpackMachineState(bytes: Uint8Array, shape: string): MachineStateResult {
  const parts = partsOf(bytes, shape);
  if (!parts.ok) return parts;
  const arrays = parts.nodes.map(({ a, n }) => new ARRAYS[a](n));
  for (const { array, start, at, length } of parts.runs)
    new Uint8Array(arrays[array]!.buffer).set(bytes.subarray(at, at + length), start);
  let next = 0;
  const rebuild = (value: unknown): unknown => {
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return value.map(rebuild);
    if (isArrayNode(value)) return arrays[next++];
    return new Map((rebuild((value as { m: unknown }).m) as [unknown, unknown][]) ?? []);
  };
  return { ok: true, tree: rebuild(parts.tree) };
}

/** The tree with typed arrays replaced by their nodes, maps by `{m: entries}`; the arrays' bytes go to `arrays`. */
function plainOf(value: unknown, arrays: Uint8Array[]): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return Array.from(value, (v) => plainOf(v, arrays));
  if (value instanceof Map) return { m: plainOf([...value.entries()], arrays) };
  const array = value as Partial<Uint8Array> & { get_state?: () => unknown };
  if (array.BYTES_PER_ELEMENT === undefined) return plainOf(array.get_state!(), arrays);
  // The emulator's views of its own memory are proxies with a bound constructor.
  const a = array.constructor!.name.replace('bound ', '') as ArrayName;
  const bytes = array.length! * array.BYTES_PER_ELEMENT;
  arrays.push(new Uint8Array(array.buffer as ArrayBuffer, array.byteOffset!, bytes));
  return { a, n: array.length! } satisfies ArrayNode;
}

function isArrayNode(value: object): value is ArrayNode {
  return 'a' in value;
}

interface Run {
  readonly array: number;
  readonly start: number;
  readonly at: number;
  readonly length: number;
}
interface Parts {
  readonly ok: true;
  readonly tree: unknown;
  readonly nodes: readonly ArrayNode[];
  readonly runs: readonly Run[];
}

function partsOf(bytes: Uint8Array, shape: string): Parts | Failure {
  if (bytes.length < HEADER_BYTES) return invalid('the state is cut off');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint32(0, true) !== MAGIC) return invalid('this is no machine’s state');
  const version = view.getUint16(4, true);
  if (version !== VERSION) return invalid(`the state is of version ${version}, ${VERSION} is spoken here`);
  const nameEnd = HEADER_BYTES + view.getUint16(6, true);
  const treeEnd = nameEnd + view.getUint32(8, true);
  if (nameEnd - HEADER_BYTES > SHAPE_BYTES_MAX || treeEnd > bytes.length)
    return invalid('the state is cut off');
  const named = Buffer.from(bytes.subarray(HEADER_BYTES, nameEnd)).toString();
  if (named !== shape) {
    const text = `the state is of ${named}; the machine here is ${shape}`;
    return { ok: false, code: 'GUEST_STATE_SHAPE', text };
  }
  const nodes: ArrayNode[] = [];
  let tree: unknown;
  try {
    tree = JSON.parse(Buffer.from(bytes.subarray(nameEnd, treeEnd)).toString());
  } catch {
    return invalid('the state’s tree is not JSON');
  }
  if (!collect(tree, nodes, 0)) return invalid('the state’s tree has a node of no known kind');
  const sizes = nodes.map(({ a, n }) => n * ARRAYS[a].BYTES_PER_ELEMENT);
  if (sizes.reduce((sum, n) => sum + n, 0) > ARRAY_BYTES_MAX)
    return invalid('the state’s arrays are larger than any machine’s');
  const runs = runsOf(view, treeEnd, sizes);
  return runs === null ? invalid('a piece of the state does not fit') : { ok: true, tree, nodes, runs };
}

const DEPTH_MAX = 16;

/** Finds the typed arrays in the order in which they were met. @returns whether every node is of a known kind */
function collect(value: unknown, nodes: ArrayNode[], depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (depth > DEPTH_MAX) return false;
  if (Array.isArray(value)) return value.every((v) => collect(v, nodes, depth + 1));
  if (isArrayNode(value)) {
    nodes.push(value);
    return (
      Object.hasOwn(ARRAYS, value.a) &&
      Number.isInteger(value.n) &&
      value.n >= 0 &&
      value.n <= ARRAY_BYTES_MAX
    );
  }
  const entries = (value as { m?: unknown }).m;
  return (
    Array.isArray(entries) &&
    entries.every((e) => Array.isArray(e) && e.length === 2) &&
    collect(entries, nodes, depth + 1)
  );
}

function runsOf(view: DataView, from: number, sizes: readonly number[]): Run[] | null {
  const runs: Run[] = [];
  let at = from;
  let before = { array: 0, end: 0 };
  for (let left = view.getUint32(12, true); left > 0; left--) {
    if (at + RUN_HEADER_BYTES > view.byteLength) return null;
    const array = view.getUint32(at, true);
    const start = view.getUint32(at + 4, true);
    const length = view.getUint32(at + 8, true);
    at += RUN_HEADER_BYTES;
    const inOrder = array > before.array || (array === before.array && start >= before.end);
    if (!inOrder || length === 0 || start + length > (sizes[array] ?? -1) || at + length > view.byteLength)
      return null;
    runs.push({ array, start, at, length });
    at += length;
    before = { array, end: start + length };
  }
  return at === view.byteLength ? runs : null;
}

function invalid(text: string): Failure {
  return { ok: false, code: 'GUEST_STATE_INVALID', text };
}

/** The first block from `from` on, itself a block's beginning, that is not all zeros. Large pieces are compared whole. */
function nextUsed(bytes: Uint8Array, from: number): number {
  let at = from;
  while (at < bytes.length && isZero(bytes, at, at + ZEROS.length)) at += ZEROS.length;
  while (at < bytes.length && isZero(bytes, at, at + BLOCK_BYTES)) at += BLOCK_BYTES;
  return at;
}

function isZero(bytes: Uint8Array, start: number, end: number): boolean {
  const upTo = Math.min(end, bytes.length);
  return Buffer.compare(bytes.subarray(start, upTo), ZEROS.subarray(0, upTo - start)) === 0;
}
