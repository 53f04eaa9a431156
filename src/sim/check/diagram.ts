/**
 * A schedule carried out once more, drawn as a sequence diagram.
 *
 *    #   a                                  ·  what happens  ·                 b
 *    5   committed                          ──── final ────►                   receiving
 *        │ …                                                                   │ verify
 */
import type { Bounds } from './bounds.js';
import type { Journal } from './journal.js';
import { type DestinationEffect, Model, type Mutation, type SourceEffect } from './model.js';
import { argumentOf, type MoveName, nameOf } from './move-names.js';
import { Moves } from './moves.js';
import { checkAlways, checkEnd, isOver, Violation } from './rules.js';
import { A_RUNS, A_STANDS, B_RUNS, NO_MACHINE, type World } from './world.js';

export interface Diagram {
  readonly lines: readonly string[];
  /** The rule that the last move broke; null when none did. */
  readonly violation: { readonly rule: number; readonly text: string } | null;
}

const SIDE_WIDTH = 34;
const MIDDLE_WIDTH = 34;

/** @param moves as a counterexample names them; a move that is not possible there ends the diagram */
export function diagramOf(
  bounds: Bounds,
  moves: readonly number[],
  mutation: Mutation | null = null,
): Diagram {
  const done: { side: 'a' | 'b'; text: string }[] = [];
  const model = new Model(bounds.mode, bounds.pages, mutation);
  const journal: Journal = { did: (side, effect) => done.push({ side, text: effectText(model, effect) }) };
  const drawer = new Moves(model, bounds, journal);
  const lines = [row('#', 'a', '', 'b')];
  let world = drawer.first();
  const flush = (): void => {
    for (const { side, text } of done.splice(0))
      lines.push(row('', side === 'a' ? `  ${text}` : '', '', side === 'b' ? `  ${text}` : ''));
  };
  lines.push(row('0', aText(model, world), 'start', bText(model, world)));
  flush();
  for (const [i, move] of moves.entries()) {
    const possible: number[] = [];
    drawer.possible(world, possible);
    if (!possible.includes(move)) {
      lines.push(`    move ${i + 1} is not possible here`);
      return { lines, violation: null };
    }
    const middle = moveText(model, world, move);
    try {
      const next = drawer.after(world, move);
      lines.push(row(`${i + 1}`, aText(model, next), middle, bText(model, next)));
      flush();
      checkAlways(next);
      if (isOver(next, drawer.sourceOver(next))) checkEnd(next, drawer.faultless(next));
      world = next;
    } catch (e) {
      if (!(e instanceof Violation)) throw e;
      if (done.length > 0) lines.push(row(`${i + 1}`, '', middle, ''));
      flush();
      lines.push(`    rule ${e.rule} is broken: ${e.message}`);
      return { lines, violation: { rule: e.rule, text: e.message } };
    }
  }
  return { lines, violation: null };
}

function row(number: string, a: string, middle: string, b: string): string {
  return `${number.padStart(3)}  ${a.padEnd(SIDE_WIDTH)}${middle.padEnd(MIDDLE_WIDTH)}${b}`.trimEnd();
}

function aText(model: Model, w: World): string {
  if (w.aliveA === 0) return 'dead';
  const phase = w.source === NO_MACHINE ? 'no machine' : model.source.phase(w.source);
  return phase + (w.guestA === A_RUNS ? ', guest runs' : w.guestA === A_STANDS ? ', guest stands' : '');
}

function bText(model: Model, w: World): string {
  if (w.aliveB === 0) return 'dead';
  const phase = w.destination === NO_MACHINE ? 'no machine' : model.destination.phase(w.destination);
  return phase + (w.guestB === B_RUNS ? ', guest runs' : '');
}

function effectText(model: Model, e: SourceEffect | DestinationEffect): string {
  switch (e.do) {
    case 'send':
      return `send ${messageText(model, e.message)}`;
    case 'record':
      return `record ${e.record}`;
    case 'finished':
      return `finished: ${e.outcome}`;
    case 'send-pages':
      return `send pages ${setText(e.pages)} as round ${e.round}`;
    case 'serve-pages':
      return `serve pages ${setText(e.pages)}`;
    default:
      return e.do;
  }
}

function messageText(model: Model, id: number): string {
  const m = model.book.get(id);
  if (m.type === 'answer') return `answer ${m.verdict}`;
  if ('round' in m) return `${m.type} ${m.round}`;
  return m.type;
}

function setText(bits: number): string {
  const pfns: number[] = [];
  for (let pfn = 0; bits >> pfn !== 0; pfn++) if ((bits >> pfn) & 1) pfns.push(pfn);
  return `{${pfns.join(' ')}}`;
}

/** What a move does, as an arrow where something travels. */
function moveText(model: Model, w: World, move: number): string {
  const name = nameOf(move);
  const argument = argumentOf(move);
  const of = (id: number | undefined): string => (id === undefined || id === 0 ? '' : messageText(model, id));
  const drawn: Partial<Record<MoveName, string>> = {
    'deliver to b': `── ${of(w.toB[0])} ──►`,
    'deliver to a': `◄── ${of(w.toA[0])} ──`,
    'overtake to b': `── ${of(w.toB[1])} ──► (overtakes)`,
    'overtake to a': `◄── ${of(w.toA[1])} ── (overtakes)`,
    'lose to b': `── ${of(w.toB[0])} ──╳`,
    'lose to a': `╳── ${of(w.toA[0])} ──`,
    'double to b': `(${of(w.toB[0])} will come again)`,
    'double to a': `(${of(w.toA[0])} will come again)`,
    'deliver the double': w.strayTo === 1 ? `── ${of(w.stray)} ──► (again)` : `◄── ${of(w.stray)} ── (again)`,
    'apply round': `══ round ${w.rounds[0]! >> 9} ══►`,
    'lose round': `══ round ${w.rounds[0]! >> 9} ══╳`,
    'corrupt page': `══ round ${w.rounds[0]! >> 9}, page ${argument} wrong ══►`,
    'place page': `══ page ${argument} ══►`,
    'lose page': `══ page ${argument} ══╳`,
    'time at a': 'a waited long enough',
    'time at b': 'b waited long enough',
    'a dies': argument === 1 ? 'a dies, its record written' : 'a dies',
    'b dies': argument === 1 ? 'b dies, its record written' : 'b dies',
    'b restarts': argument === 1 ? 'b restarts with another store' : 'b restarts',
    'the guest writes': `the guest writes page ${argument}`,
  };
  return drawn[name] ?? name;
}
