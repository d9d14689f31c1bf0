/**
 * A dozen faults of the catalogue, done to a real service on a real Redis, for a second each. What is held here is what was
 * answered, never how fast: a test machine may be busy with anything. `npm run faults` tries them all, and measures.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { catalogue, type Fault, faultNamed, isHere } from '../../bench/faults/catalogue.ts';
import { capped, mistakeIn, type Person, tiers, zoneNames } from '../../bench/faults/people.ts';
import type { FaultService } from '../../bench/faults/processes.ts';
import { type Complaint, type Finding, type Timing, tryFaults } from '../../bench/faults/trial.ts';
import { createWorld, type World } from '../../bench/faults/world.ts';

/** Little enough load for two cores that run other suites beside this one, and as much patience as anybody could ask for. */
const timing: Timing = {
  calmMs: 300,
  faultMs: 700,
  afterMs: 300,
  giveUpMs: 20_000,
  requestsPerSecond: 80,
  toleranceMs: 4_000,
  seed: 1,
};

const aboutTime: readonly Complaint['about'][] = ['late', 'slow', 'less', 'refused'];

let world: World;
let standing: FaultService;

beforeAll(async () => {
  world = await createWorld();
  standing = await world.startService();
});
afterAll(async () => {
  await standing?.end();
  await world?.end();
});

async function survived(...ids: readonly string[]): Promise<Finding> {
  const faults: Fault[] = ids.map(faultNamed);
  const isPlain = faults.every(({ setting }) => setting === undefined);
  const finding = await tryFaults(world, faults, timing, isPlain ? standing : null);
  expect(finding.complaints.filter(({ about }) => !aboutTime.includes(about))).toEqual([]);
  expect(finding.decisions).toBeGreaterThan(10);
  return finding;
}

describe('a fault of', () => {
  it.each([
    ['Redis down at boot', 'F01'],
    ['Redis frozen', 'F03'],
    ['packets dropped', 'F07'],
    ['connections half-open', 'F09'],
    ['replies cut short', 'F14'],
    ['access withdrawn', 'F19'],
    ['corrupt values', 'F22'],
    ['a truncated policy', 'F39'],
    ['an invalid policy', 'F41'],
    ['a process that is asked to end', 'F49'],
    ['callers with slow headers', 'F53'],
    ['every reply coming twice', 'X01'],
  ])('%s loses nothing, shows nobody too much, and passes', async (_, id) => {
    await survived(id);
  });

  it('two kinds at once is survived too', async () => {
    await survived('F08', 'F56');
  });
});

describe('the catalogue', () => {
  it('has the sixty, each tried or with the reason why not', () => {
    const wanted = Array.from({ length: 60 }, (_, index) => `F${String(index + 1).padStart(2, '0')}`);
    expect(catalogue.map(({ id }) => id).filter((id) => id.startsWith('F'))).toEqual(wanted);
    for (const entry of catalogue) expect(isHere(entry) ? entry.does : entry.notHere, entry.id).not.toBe('');
  });
});

/** Answers as a service gives them that makes one mistake: the judge must see each. */
describe('the judge of answers', () => {
  const highest = { greeting: 'user', rail: 'segment', footer: 'user' } as const;
  const person: Person = {
    group: 'somebody',
    weight: 1,
    marker: 'm01',
    subject: 'person-m01',
    country: 'DE',
    headers: {},
    body: {},
    isFickle: false,
    highest,
  };
  const zone = (name: string, tier: string, says: string) => ({
    zone: name,
    tier,
    variant: says,
    offer: null,
    render: 'now',
    content: { says },
    downgrade: null,
  });
  const right = [zone('greeting', 'user', 'greeting-m01'), zone('rail', 'segment', 'land-DE'), zone('footer', 'anonymous', 'standard')];

  it('has nothing to say of an answer that is theirs', () => {
    expect(mistakeIn(person, highest, right)).toBeNull();
  });

  it.each([
    ['a tier above the most', [right[0], zone('rail', 'user', 'rail-m01'), right[2]]],
    ["another person's content", [zone('greeting', 'user', 'greeting-m02'), right[1], right[2]]],
    ["another land's content", [right[0], zone('rail', 'segment', 'land-FR'), right[2]]],
    ['personal content under a lower tier', [right[0], right[1], zone('footer', 'anonymous', 'footer-m01')]],
    ['a zone that is missing', [right[0], right[1]]],
    ['zones in another order', [right[1], right[0], right[2]]],
    ['a tier that nobody knows', [right[0], right[1], zone('footer', 'everything', 'standard')]],
  ])('sees %s', (_, zones) => {
    expect(
      mistakeIn(
        person,
        highest,
        zones.filter((each) => each !== undefined),
      ),
    ).not.toBeNull();
  });

  it('lowers what is the most to what a fault leaves', () => {
    for (const at of tiers) {
      const most = capped(highest, at);
      for (const name of zoneNames) {
        expect(tiers.indexOf(most[name])).toBe(Math.min(tiers.indexOf(at), tiers.indexOf(highest[name])));
      }
    }
    expect(mistakeIn(person, capped(highest, 'segment'), right)).not.toBeNull();
  });
});
