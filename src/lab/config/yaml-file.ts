/**
 * A YAML file as plain values, and for each of its keys the place where it stands: whoever refuses a value
 * names `file:line:column: key`.
 *
 * Left out on purpose: includes and variables; a file is one page that says everything.
 */
import { readFileSync } from 'node:fs';
import { isCollection, isMap, LineCounter, parseDocument } from 'yaml';
import { ConfigError, messageOf } from '../../core/index.js';
import { keyName, type Locate } from './key-refusal.js';

export type FileErrorCode = 'LAB_FILE_READ' | 'LAB_FILE_YAML';

export interface YamlSource {
  /** File name for messages. */
  readonly name: string;
  readonly text: string;
}

/** What kind of file it is, for the words of a refusal. */
export interface YamlKind {
  /** As the command's help has it: `EXPERIMENT.yaml`. */
  readonly title: string;
  /** A file that shows every key. */
  readonly example: string;
}

/** Reads the file's text. @throws ConfigError `LAB_FILE_READ` */
export function readYaml(file: string, kind: YamlKind): YamlSource {
  try {
    return { name: file, text: readFileSync(file, 'utf8') };
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new ConfigError<FileErrorCode>('LAB_FILE_READ', `${kind.title} ${file} cannot be read (${why})`, {
      cause,
      hint: `give the path of a readable YAML file, such as ${kind.example}`,
    });
  }
}

/** The values of a source, `{}` when it is empty. @throws ConfigError `LAB_FILE_YAML` at its line */
export function parseYaml(source: YamlSource, kind: YamlKind): { raw: unknown; locate: Locate } {
  const lines = new LineCounter();
  const doc = parseDocument(source.text, { lineCounter: lines });
  const place = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${source.name}:${line}:${col}`;
  };
  const refuse = (where: string, message: string): never => {
    const what = message.split(/ at line | \(|:?\n/)[0];
    throw new ConfigError<FileErrorCode>('LAB_FILE_YAML', `${where}: not YAML: ${what}`, {
      hint: `mend that line; ${kind.example} shows every key`,
    });
  };
  const error = doc.errors[0];
  if (error !== undefined) return refuse(place(error.pos[0]), error.message);
  const locate: Locate = (path, key) => {
    let node: unknown = doc.contents;
    for (const step of path) {
      const next = isCollection(node) ? node.get(step, true) : undefined;
      if (next === undefined) break;
      node = next;
    }
    if (key !== undefined && isMap(node)) {
      const pair = node.items.find((item) => String(item.key) === key);
      node = pair?.key ?? node;
    }
    const offset = (node as { range?: readonly [number, number, number] } | null)?.range?.[0] ?? 0;
    return `${place(offset)}: ${keyName(key === undefined ? path : [...path, key])}`;
  };
  try {
    return { raw: doc.toJS() ?? {}, locate };
  } catch (e) {
    // aliases are looked up only here: one without its anchor, or too many of them
    return refuse(source.name, messageOf(e));
  }
}
