/**
 * Filters over recorded packets, by what we know of them and a packet filter of the kernel does not:
 *
 *   filter = all { "or" all }        all = one { "and" one }        one = "not" one │ "(" filter ")" │ term
 *   term   = site a|b │ port NAME │ direction in|out │ dropped [REASON] │ mac MAC │ ip ADDRESS[/BITS]
 *          │ proto arp|rarp|ip|ip6|icmp|icmp6|tcp|udp|vxlan|NUMBER │ l4 NUMBER │ vlan NUMBER
 *
 *   site a and (proto arp or ip 10.80.0.0/16) and not dropped loss
 *
 * `port` names a port of the fabric (or `fiber-a`, `fiber-b`); `l4` a TCP or UDP port; `mac` and `ip` match either
 * end, `ip` also the addresses in ARP.
 */
import { ConfigError } from '../core/index.js';
import { type CaptureErrorCode, LINK_ETHERNET, type PacketDirection } from './captured-packet.js';
import { hasPrefix, parseIpPrefix } from './ip-prefix.js';
import {
  PacketFields,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  TYPE_ARP,
  TYPE_IPV4,
  TYPE_IPV6,
  TYPE_RARP,
} from './packet-fields.js';

/** Where and how a packet was seen. */
export interface FilterPlace {
  readonly site: 'a' | 'b' | null;
  readonly port: string;
  readonly linkType: number;
}

export const ANYWHERE: FilterPlace = { site: null, port: '', linkType: LINK_ETHERNET };

interface Seen {
  place: FilterPlace;
  direction: PacketDirection | null;
  dropReason: string | null;
  readonly fields: PacketFields;
}

type Term = (seen: Seen) => boolean;

const PORT_VXLAN = 4789;
const PROTOCOL_ICMP = 1;
const PROTOCOL_ICMPV6 = 58;

const PROTOCOLS: Readonly<Record<string, Term>> = {
  arp: ({ fields }) => fields.etherType === TYPE_ARP,
  rarp: ({ fields }) => fields.etherType === TYPE_RARP,
  ip: ({ fields }) => fields.etherType === TYPE_IPV4,
  ip6: ({ fields }) => fields.etherType === TYPE_IPV6,
  icmp: ({ fields }) => fields.protocol === PROTOCOL_ICMP,
  icmp6: ({ fields }) => fields.protocol === PROTOCOL_ICMPV6,
  tcp: ({ fields }) => fields.protocol === PROTOCOL_TCP,
  udp: ({ fields }) => fields.protocol === PROTOCOL_UDP,
  vxlan: ({ fields }) => fields.protocol === PROTOCOL_UDP && fields.destinationPort === PORT_VXLAN,
};

const TERMS = ['site', 'port', 'direction', 'dropped', 'mac', 'ip', 'proto', 'l4', 'vlan'];
const WORDS = /\(|\)|[^\s()]+/g;

export class CaptureFilter {
  readonly text: string;
  readonly #term: Term;
  readonly #seen: Seen = { place: ANYWHERE, direction: null, dropReason: null, fields: new PacketFields() };

  /** @throws ConfigError `CAPTURE_FILTER` */
  constructor(text: string) {
    this.text = text;
    this.#term = new FilterText(text).parse();
  }

  /** Whether the packet at `start..end` of `data` is meant. @param dropReason null for one that was not dropped */
  matches(
    place: FilterPlace,
    direction: PacketDirection | null,
    dropReason: string | null,
    data: Uint8Array,
    start: number,
    end: number,
  ): boolean {
    const seen = this.#seen;
    seen.place = place;
    seen.direction = direction;
    seen.dropReason = dropReason;
    seen.fields.read(data, start, end, place.linkType);
    return this.#term(seen);
  }
}

/** The place of an interface that our recorder described; any other's has no site. */
export function placeOf(interfaceName: string, description: string, linkType: number): FilterPlace {
  const site = /^site ([ab])\b/.exec(description)?.[1] as 'a' | 'b' | undefined;
  return { site: site ?? null, port: interfaceName, linkType };
}

class FilterText {
  readonly #text: string;
  readonly #words: readonly string[];
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    this.#words = text.match(WORDS) ?? [];
  }

  parse(): Term {
    const term = this.#any();
    if (this.#at < this.#words.length) this.#refuse('"and" or "or"');
    return term;
  }

  #any(): Term {
    let left = this.#all();
    while (this.#accept('or')) {
      const [first, second] = [left, this.#all()];
      left = (seen) => first(seen) || second(seen);
    }
    return left;
  }

  #all(): Term {
    let left = this.#one();
    while (this.#accept('and')) {
      const [first, second] = [left, this.#one()];
      left = (seen) => first(seen) && second(seen);
    }
    return left;
  }

  #one(): Term {
    if (this.#accept('not')) {
      const inner = this.#one();
      return (seen) => !inner(seen);
    }
    if (!this.#accept('(')) return this.#term();
    const inner = this.#any();
    if (!this.#accept(')')) this.#refuse('")"');
    return inner;
  }

  #term(): Term {
    const name = this.#words[this.#at];
    if (name === undefined || !TERMS.includes(name)) this.#refuse(`one of ${TERMS.join(', ')}`);
    this.#at++;
    switch (name) {
      case 'site': {
        const site = this.#word('a or b', /^[ab]$/);
        return ({ place }) => place.site === site;
      }
      case 'port': {
        const port = this.#word('the name of a port', /./);
        return ({ place }) => place.port === port;
      }
      case 'direction': {
        const direction = this.#word('in or out', /^(in|out)$/);
        return (seen) => seen.direction === direction;
      }
      case 'dropped': {
        const next = this.#words[this.#at];
        if (next === undefined || [')', 'and', 'or'].includes(next))
          return ({ dropReason }) => dropReason !== null;
        this.#at++;
        return ({ dropReason }) => dropReason === next;
      }
      case 'mac':
        return macTerm(this.#word('a MAC address', /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i));
      case 'ip': {
        const prefix = parseIpPrefix(this.#words[this.#at] ?? '');
        if (prefix === null) this.#refuse('an address, or one with /BITS');
        this.#at++;
        return ({ fields: f }) =>
          hasPrefix(prefix!, f.data, f.sourceAt, f.addressBytes) ||
          hasPrefix(prefix!, f.data, f.destinationAt, f.addressBytes);
      }
      case 'proto': {
        const known = PROTOCOLS[this.#words[this.#at] ?? ''];
        if (known !== undefined) {
          this.#at++;
          return known;
        }
        const number = this.#number(`${Object.keys(PROTOCOLS).join(', ')} or a number`, 255);
        return ({ fields }) => fields.protocol === number;
      }
      case 'l4': {
        const port = this.#number('a TCP or UDP port', 65_535);
        return ({ fields }) => fields.sourcePort === port || fields.destinationPort === port;
      }
      default: {
        const vlan = this.#number('a VLAN', 4094);
        return ({ fields }) => fields.vlan === vlan;
      }
    }
  }

  #accept(word: string): boolean {
    if (this.#words[this.#at] !== word) return false;
    this.#at++;
    return true;
  }

  #word(what: string, form: RegExp): string {
    const word = this.#words[this.#at];
    if (word === undefined || !form.test(word)) this.#refuse(what);
    this.#at++;
    return word!;
  }

  #number(what: string, most: number): number {
    const number = Number(this.#word(`${what}, 0..${most}`, /^\d{1,5}$/));
    if (number > most) {
      this.#at--;
      this.#refuse(`${what}, 0..${most}`);
    }
    return number;
  }

  #refuse(expected: string): void {
    const found = this.#words[this.#at];
    const where = found === undefined ? 'at its end' : `at ${JSON.stringify(found)}`;
    throw new ConfigError<CaptureErrorCode>(
      'CAPTURE_FILTER',
      `the filter ${JSON.stringify(this.#text)} is not understood ${where}: ${expected} is expected`,
      {
        details: { filter: this.#text, word: this.#at },
        hint: 'write it like: site a and (proto arp or ip 10.80.0.1)',
      },
    );
  }
}

function macTerm(text: string): Term {
  const mac = Uint8Array.from(text.split(':'), (octet) => Number.parseInt(octet, 16));
  const isAt = (data: Uint8Array, at: number): boolean => {
    for (let i = 0; i < 6; i++) if (data[at + i] !== mac[i]) return false;
    return true;
  };
  return ({ fields: { data, macsAt } }) => macsAt >= 0 && (isAt(data, macsAt) || isAt(data, macsAt + 6));
}
