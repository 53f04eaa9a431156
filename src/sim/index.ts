/** The simulated world: the same machines in virtual time. Pure: no socket, no clock. */
export type { ClientSpec } from './client.js';
export { COST_MEANINGS, COST_NAMES, type CostName, HOST_COSTS, type HostCosts } from './costs.js';
export { describeFault, type Fault, type FaultKind } from './faults.js';
export { Violation } from './judge.js';
export type { SimCongestion } from './link-pace.js';
export type { SourceDriver } from './source-driver.js';
export type { SiteName } from './stretched-segment.js';
export {
  describeScenario,
  runScenario,
  type Scenario,
  type ScenarioEnd,
  scenarioOf,
  shrink,
} from './swarm.js';
export {
  guestSpec,
  type MigrationOrders,
  outcomeOf,
  World,
  type WorldMigration,
  type WorldOptions,
} from './world.js';
