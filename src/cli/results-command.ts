/** The grammar of `longhaul results` and `longhaul report`: what runs left behind, listed, compared, exported, drawn. */
import { type Command, Option } from 'commander';

export interface ResultsTyped {
  readonly store: string;
  readonly json?: boolean;
}

export interface ExportTyped extends ResultsTyped {
  readonly format: 'csv' | 'ndjson';
  readonly columns?: boolean;
  readonly out?: string;
}

export interface ReportTyped {
  readonly store: string;
  readonly out: string;
  readonly title?: string;
  readonly svg?: string;
}

export interface ResultsCommands {
  resultsList(typed: ResultsTyped): Promise<number>;
  resultsShow(word: string, typed: ResultsTyped): Promise<number>;
  resultsCompare(words: readonly string[], typed: ResultsTyped): Promise<number>;
  resultsExport(words: readonly string[], typed: ExportTyped): Promise<number>;
  resultsMerge(parts: readonly string[], into: string, typed: ResultsTyped): Promise<number>;
  report(words: readonly string[], typed: ReportTyped): Promise<number>;
}

const RESULT_WORDS = `A RESULT is a result.json, a folder with one, a whole store, or an id that longhaul results list shows
(its beginning is enough).`;

/** Adds `results` and `report` to the program. @param settle takes the promised exit code */
export function addResultsCommands(
  program: Command,
  commands: ResultsCommands,
  settle: (code: Promise<number>) => Promise<void>,
): void {
  const results = program
    .command('results')
    .description('Lists, shows, compares, exports and merges the results of runs and sweeps.')
    .helpCommand(false);
  const add = (name: string, text: string): Command =>
    results
      .command(name)
      .description(text)
      .allowExcessArguments(false)
      .option('--store <dir>', 'the folder that results lie in', 'results')
      .addHelpText('after', `\n${RESULT_WORDS}`);
  add('list', 'Lists what a store holds, oldest first.')
    .option('--json', 'print JSON')
    .action((typed: ResultsTyped) => settle(commands.resultsList(typed)));
  add('show', 'Shows one result as its run did.')
    .argument('<result>')
    .option('--json', "print the result's JSON")
    .action((word: string, typed: ResultsTyped) => settle(commands.resultsShow(word, typed)));
  add('compare', 'Sets results side by side: medians, and ratios to the first with their intervals.')
    .argument('<results...>')
    .option('--json', 'print JSON')
    .action((words: string[], typed: ResultsTyped) => settle(commands.resultsCompare(words, typed)));
  add('export', 'Prints one row a move, in typed columns with their units in their names.')
    .argument('[results...]', 'all of the store when left out')
    .addOption(new Option('--format <format>', 'csv or ndjson').choices(['csv', 'ndjson']).default('csv'))
    .option('--columns', 'print the columns and their types, and nothing else')
    .option('--out <file>', 'where to, in place of stdout')
    .action((words: string[], typed: ExportTyped) => settle(commands.resultsExport(words, typed)));
  add('merge', 'Brings the parts of a sweep into one store; refuses parts of different revisions.')
    .argument('<parts...>')
    .requiredOption('--into <dir>', 'the store that takes all')
    .option('--json', 'print JSON')
    .action((parts: string[], typed: ResultsTyped & { into: string }) =>
      settle(commands.resultsMerge(parts, typed.into, typed)),
    );

  program
    .command('report')
    .description(
      'Writes one HTML file about results: time lines, plots, comparisons. Works offline and in print.',
    )
    .argument('<results...>')
    .allowExcessArguments(false)
    .requiredOption('--out <file>', 'the HTML file')
    .option('--svg <dir>', 'every plot as an SVG file of its own, too')
    .option('--title <text>', 'its title')
    .option('--store <dir>', 'the folder that ids are looked up in', 'results')
    .addHelpText('after', `\n${RESULT_WORDS}`)
    .action((words: string[], typed: ReportTyped) => settle(commands.report(words, typed)));
}
