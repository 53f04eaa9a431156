/**
 * What must hold in every world, at every instant and at its end: rules 1, 2, 4, 5 and 7 of docs/design.md, "Protocol".
 *
 *   at a start       no other copy runs; RUNNING is on record, NEVER is not; what is there is as truth has it      1, 4, 7
 *   at a return      no COMMIT stands, or NEVER stands at the peer, or an operator has said so, or FINAL never left     2
 *   at the end       the outcome is one that the records allow; the guest is lost only with a host that died          7
 *   at a quiet end   every request that the network has not lost has reached the guest                                5
 */
import type { SimClient } from './client.js';
import type { SimHost } from './host.js';
import type { SiteName, StretchedSegment } from './stretched-segment.js';
import type { Truth } from './truth.js';

/** A rule was broken. */
export class Violation extends Error {
  readonly rule: string;

  constructor(rule: string, text: string) {
    super(`${rule}: ${text}`);
    this.rule = rule;
  }
}

/** What happened that excuses an end without a running guest, or a request without an answer. */
export interface Excuses {
  /** A host died with memory that nobody else had. */
  guestDied: boolean;
  /** Records could not be written. */
  diskFailed: boolean;
  /** A link between the hosts broke, a host stood still, or the fiber let frames overtake or an announcement fall. */
  framesDelayed: boolean;
}

/** One migration, as its source ended it. */
export interface JudgedMigration {
  readonly id: string;
  readonly from: SiteName;
  readonly to: SiteName;
  /** `died`: the source's host did, and has nothing to say. `serving`: it keeps pages for a guest that does not ask. */
  readonly outcome: 'completed' | 'refused' | 'aborted' | 'in-doubt' | 'serving' | 'died' | 'none';
}

export class Judge {
  readonly excuses: Excuses = { guestDied: false, diskFailed: false, framesDelayed: false };
  readonly #hosts: Readonly<Record<SiteName, SimHost>>;
  readonly #truth: Truth;
  readonly #memory: boolean;
  readonly #finals = new Set<string>();
  readonly #words = new Set<string>();
  /** Migrations whose guest has gone back to its source after COMMIT. */
  readonly #returned = new Set<string>();

  /** @param memory whether contents of pages are compared */
  constructor(hosts: Readonly<Record<SiteName, SimHost>>, truth: Truth, memory: boolean) {
    this.#hosts = hosts;
    this.#truth = truth;
    this.#memory = memory;
  }

  finalSent(migrationId: string): void {
    this.#finals.add(migrationId);
  }

  /** An operator said that the peer is fenced and the guest is to run at its source. */
  operatorSaid(migrationId: string): void {
    this.#words.add(migrationId);
  }

  /** A destination starts the guest. */
  starts(host: SimHost, migrationId: string): void {
    this.#noOther(host);
    if (!host.records.has('RUNNING', migrationId))
      throw new Violation('rule 7', 'a start without RUNNING on record');
    if (host.records.has('NEVER', migrationId))
      throw new Violation('rule 7', 'a start although NEVER is on record');
    if (this.#returned.has(migrationId))
      throw new Violation('rule 2', 'a start after the guest went back to its source');
    const pfn = this.#firstWrong(host);
    if (pfn >= 0) throw new Violation('rule 4', `the guest starts with a wrong page ${pfn}`);
  }

  /** A source lets the guest run again. */
  resumes(host: SimHost, migrationId: string): void {
    this.#noOther(host);
    const peer = this.#peerOf(host);
    const isNever = peer.records.has('NEVER', migrationId) && !peer.records.has('RUNNING', migrationId);
    const word = this.#words.has(migrationId);
    if (this.#finals.has(migrationId) && !isNever && !word)
      throw new Violation('rule 2', 'the source resumes after FINAL, and NEVER is not on record');
    // Before FINAL a broken line leads back to the rounds of the same migration.
    if (this.#finals.has(migrationId)) this.#returned.add(migrationId);
    // What the guest did elsewhere is undone by the operator's word.
    if (word) this.#truth.memory.copyFrom(host.guest.memory);
    const pfn = this.#firstWrong(host);
    if (pfn >= 0) throw new Violation('rule 4', `the guest goes on with a wrong page ${pfn}`);
  }

  /** Post-copy: nothing is missing any more. */
  whole(host: SimHost): void {
    const pfn = this.#firstWrong(host);
    if (pfn >= 0) throw new Violation('rule 4', `page ${pfn} came in another version than the guest had`);
  }

  /** Everything has come to rest: hosts that could be started are up, links stand. */
  atRest(
    migrations: readonly JudgedMigration[],
    segment: StretchedSegment,
    clients: readonly SimClient[],
  ): void {
    for (const m of migrations) this.#outcomeAllowed(m);
    this.#guestIsSomewhere(migrations);
    if (!segment.closes())
      throw new Violation('accounting', 'frames of a fiber or a bridge are not accounted for');
    for (const client of clients) this.#ledgerHolds(client);
  }

  #outcomeAllowed({ id, from, to, outcome }: JudgedMigration): void {
    const source = this.#hosts[from].records;
    const destination = this.#hosts[to].records;
    const decided = destination.all.filter(
      (r) => r.migrationId === id && (r.kind === 'RUNNING' || r.kind === 'NEVER'),
    );
    if (decided.length > 1) throw new Violation('rule 7', 'a migration was decided twice');
    const decision = destination.decision(id);
    if (outcome === 'completed' && decision !== 'RUNNING' && !this.#words.has(id))
      throw new Violation('rule 7', 'completed, and RUNNING is not on record');
    if ((outcome === 'aborted' || outcome === 'refused') && decision === 'RUNNING' && !this.#words.has(id))
      throw new Violation('rule 7', `${outcome}, and RUNNING is on record`);
    const isClosed = outcome === 'completed' || outcome === 'aborted' || outcome === 'refused';
    const open = source.has('COMMIT', id) && !source.has('ENDED', id);
    if (isClosed && open && !this.excuses.diskFailed)
      throw new Violation('rule 7', `${outcome}, and COMMIT is not closed by ENDED`);
    if (outcome === 'serving' && (decision !== 'RUNNING' || !this.excuses.guestDied))
      throw new Violation('rule 6', 'both hosts live, a link stands, and pages are still missing');
    if (outcome === 'none') throw new Violation('rule 3', 'the migration came to no end');
    if (outcome === 'in-doubt')
      throw new Violation('rule 3', 'both hosts live, a link stands, and the doubt was not settled');
  }

  #guestIsSomewhere(migrations: readonly JudgedMigration[]): void {
    const running = Object.values(this.#hosts).filter((h) => h.isUp && h.guest.isRunning);
    if (running.length > 1) throw new Violation('rule 1', 'two copies run');
    const host = running[0];
    if (host === undefined) {
      if (this.excuses.guestDied) return;
      const ends = migrations.map((m) => `${m.from}→${m.to} ${m.outcome}`).join(', ');
      throw new Violation('rule 7', `the guest runs nowhere, and no host died with it (${ends})`);
    }
    if (host.guest.stalledAt >= 0 && !this.excuses.guestDied)
      throw new Violation('rule 6', `the guest stands for ever at page ${host.guest.stalledAt}`);
    const pfn = this.#firstWrong(host);
    if (pfn >= 0) throw new Violation('rule 4', `the running guest has lost page ${pfn}`);
  }

  #ledgerHolds(client: SimClient): void {
    if (this.#words.size > 0) return; // answers given since the pause are undone: the ledger says so, and rightly
    for (const book of [client.service, client.echo]) {
      const stats = book?.stats();
      if (stats !== undefined && stats.wrong > 0)
        throw new Violation('ledger', stats.firstWrong ?? 'a wrong answer');
    }
    const { guestDied, framesDelayed } = this.excuses;
    if (guestDied || framesDelayed) return;
    for (let seq = 1; seq < client.sentNs.length; seq++) {
      if (!client.reached.has(seq) && !client.lost.has(seq))
        throw new Violation(
          'rule 5',
          `request ${seq} of the client at ${client.site} never reached the guest`,
        );
    }
  }

  /** The first page that is there and differs from truth; -1 when none does. */
  #firstWrong({ guest }: SimHost): number {
    return this.#memory ? guest.memory.firstDifference(this.#truth.memory, guest.missing) : -1;
  }

  #noOther(host: SimHost): void {
    const other = this.#peerOf(host);
    if (other.isUp && other.guest.isRunning)
      throw new Violation('rule 1', `a second copy starts at ${host.site}`);
  }

  #peerOf(host: SimHost): SimHost {
    return this.#hosts[host.site === 'a' ? 'b' : 'a'];
  }
}
