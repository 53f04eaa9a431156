export { type Objective, parseObjective, type TuneErrorCode } from './objective.js';
export { type TuneStory, tunedInput, tunedYaml, tuneHtml, tuneJson, tuneText } from './outputs.js';
export { Trail } from './trail.js';
export { type TuneEnd, type TuneOptions, tune } from './tune.js';
