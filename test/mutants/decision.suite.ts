/** What is asked of every mutant of the core: its own suites, the corpus of whole decisions, and a little of what is tried at length. */
import './few-cases.ts';
import '../conformance/core.test.ts';
import '../consent/special-categories.test.ts';
import '../decision/admit.test.ts';
import '../decision/arbitration.test.ts';
import '../decision/cache-key.test.ts';
import '../decision/cache-scope.test.ts';
import '../decision/consent.test.ts';
import '../decision/decide.test.ts';
import '../decision/descent.test.ts';
import '../decision/edges.test.ts';
import '../decision/evaluate.test.ts';
import '../decision/hash.test.ts';
import '../decision/identity.test.ts';
import '../decision/needs.test.ts';
import '../decision/reading.test.ts';
import '../decision/select.test.ts';
import '../decision/sensitivity.test.ts';
import '../decision/session-consent.test.ts';
import '../decision/sources.test.ts';
import '../decision/special-features.test.ts';
import '../decision/standing.test.ts';
import '../decision/steps.test.ts';
import { describe, expect, test } from 'vitest';
import { decide } from '../../src/decision/decide.ts';
import { emptyTally, enumerate, prepare } from '../enumeration/enumerate.ts';
import { slices } from '../enumeration/slices.ts';
import { claims } from '../oracle/claims.ts';
import { holdsFor } from '../oracle/runs.ts';

describe('the table of the gates', () => {
  const zonesOfEach = 3000;

  test.each(Object.values(slices))('is what the core says of a few states of $name', (slice) => {
    const states = Math.min(slice.size, Math.ceil(zonesOfEach / (slice.zones.length * slice.settings.length)));
    const tally = emptyTally();
    enumerate(prepare(slice), decide, { from: 0, until: states, isSample: states < slice.size }, tally);
    expect([...tally.ways].slice(0, 3)).toEqual([]);
  });
});

describe('a few generated cases', () => {
  test.each(claims)('$says', (claim) => {
    holdsFor(claim);
  });
});
