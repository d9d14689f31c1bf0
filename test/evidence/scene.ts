/** What a gathering is surrounded by in tests: a store that answers when told, a verifier that verifies when told, a clock that moves when told. */
import type { Artefact, DependencySettings } from '../../src/decision/artefact.ts';
import type { TokenEvidence } from '../../src/decision/facts.ts';
import type { Needs } from '../../src/decision/needs.ts';
import { createGatherer } from '../../src/evidence/gather.ts';
import type { AbandonedReply, Gathering, GatherRequest, TokenVerification } from '../../src/evidence/gathering.ts';
import type { StoreDependency } from '../../src/evidence/plan.ts';
import type { ReadPlan, StoreReading } from '../../src/records/store.ts';
import type { Clock } from '../../src/time/clock.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const kinds = ['content', 'offer'] as const;
export const everything: Needs = {
  identity: true,
  consent: true,
  sessionKinds: kinds,
  profileKinds: kinds,
  audienceKinds: kinds,
  modelKinds: kinds,
};
export const nothing: Needs = { identity: false, consent: false, sessionKinds: [], profileKinds: [], audienceKinds: [], modelKinds: [] };

export const person: TokenEvidence & { state: 'verified' } = {
  state: 'verified',
  subject: 'person-1',
  method: 'deterministic',
  expired: false,
  authTimeSeconds: null,
  generation: 2,
  binding: 'none',
};

export const fullReading: StoreReading = {
  erased: false,
  link: { subject: 'person-2', method: 'deterministic', confidencePpm: 900_000 },
  generation: 2,
  tokenRevoked: false,
  consent: { useCases: { offers: 'granted' }, recordedAtMs: 1 },
  linkedConsent: { useCases: { offers: 'denied' }, recordedAtMs: 2 },
  sessionConsent: { useCases: { analytics_offer: 'denied' }, recordedAtMs: 3 },
  profile: { state: 'known', value: { attributes: { loyalty: 'gold' }, audiences: [] } },
  session: { state: 'known', value: { attributes: {} } },
};

export type Budgets = Readonly<Partial<Record<StoreDependency, number>>>;

export function artefactWith(budgets: Budgets): Artefact {
  const settings = (budgetMs: number | null = null): DependencySettings => ({
    budgetMs,
    retries: 0,
    onFailure: null,
    late: null,
    source: null,
  });
  return {
    format: 1,
    policy: 'test',
    owner: null,
    revision: 'r',
    attributes: { request: {}, session: {}, profile: {} },
    audiences: {},
    contextualWithoutSignal: false,
    consent: { path: 'vendor', vendorId: null, maxAgeDays: 180, regimes: {}, purposeOneCountries: [] },
    freshnessMaxMs: 0,
    sensitiveCategories: [],
    deadline: { defaultMs: 60, minMs: 5, maxMs: 500 },
    dependencies: {
      identity: settings(budgets.identity),
      consent: settings(budgets.consent),
      profile: settings(budgets.profile),
      session: settings(budgets.session),
      audience: settings(),
      model: settings(),
    },
    pages: {},
    zones: {},
    variants: {},
    offers: {},
  };
}

interface Told<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

export class ToldStore {
  readonly plans: ReadPlan[] = [];
  readonly #told: Told<StoreReading> = Promise.withResolvers<StoreReading>();

  constructor() {
    // Told to fail before anybody asked, it is nobody's unhandled rejection; a promise derived from it still would be.
    this.#told.promise.catch(() => {});
  }

  read(plan: ReadPlan): Promise<StoreReading> {
    this.plans.push(plan);
    return this.#told.promise;
  }

  answer(reading: StoreReading = fullReading): Promise<void> {
    this.#told.resolve(reading);
    return settled();
  }

  fail(error: unknown): Promise<void> {
    this.#told.reject(error);
    return settled();
  }
}

/** Every promise that can settle without time passing has settled. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export interface Scene {
  readonly clock: VirtualClock;
  readonly store: ToldStore;
  readonly abandoned: AbandonedReply[];
  readonly startedAtMs: number;
  readonly gathering: Gathering;
}

export interface Setting {
  readonly budgets?: Budgets;
  readonly deadlineMs?: number;
  readonly request?: Partial<GatherRequest>;
  readonly token?: TokenEvidence;
  readonly verifier?: TokenVerification;
  readonly store?: { read(plan: ReadPlan): Promise<StoreReading> };
  readonly onStoreAsked?: () => void;
  /** How long the request had been waiting when gathering began. */
  readonly queuedMs?: number;
  /** What gathering takes for the time, where that is not the truth. */
  readonly gathererClock?: (clock: VirtualClock) => Clock;
}

export function begin(setting: Setting = {}): Scene {
  const { budgets = {}, deadlineMs = 50, token = person, queuedMs = 0 } = setting;
  const clock = new VirtualClock();
  clock.advance(1000.25);
  const startedAtMs = clock.monotonicMs();
  clock.advance(queuedMs);
  const store = new ToldStore();
  const abandoned: AbandonedReply[] = [];
  const gatherer = createGatherer({
    store: setting.store ?? store,
    verifier: setting.verifier ?? { verify: () => ({ evidence: token, tokenId: token.state === 'verified' ? 'issuer\njti' : null }) },
    sessionIds: {
      verify: (sessionId) => (sessionId.startsWith('good-') ? { state: 'verified', id: sessionId.slice(5) } : { state: 'invalid' }),
    },
    clock: setting.gathererClock?.(clock) ?? clock,
    onStoreAsked: setting.onStoreAsked ?? (() => {}),
    onAbandoned: (reply) => abandoned.push(reply),
  });
  const gathering = gatherer.gather({
    artefact: artefactWith(budgets),
    needs: everything,
    identity: { token: 'token', sessionId: 'good-session', deviceId: 'device' },
    consent: { signals: [], gpc: false },
    nowMs: clock.nowMs(),
    deadlineAtMs: startedAtMs + deadlineMs,
    ...setting.request,
  });
  return { clock, store, abandoned, startedAtMs, gathering };
}
