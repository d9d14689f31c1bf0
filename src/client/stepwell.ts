/**
 * Decisions where they are rendered. `now` and `decide` always answer: with what the service says, else what this device can decide,
 * else what the business approved. What was rendered stays for the whole view, unless the visitor takes consent back.
 */
import { stableHash } from '../decision/hash.ts';
import { own } from '../device/condition.ts';
import { decideOnDevice } from '../device/decide-on-device.ts';
import { createArtefactHolder, freshMs } from './artefact-holder.ts';
import { createKeep, names } from './keep.ts';
import { exchange, type Reply, within } from './network.ts';
import { createSignals } from './signals.ts';
import { around, jsonOf } from './surroundings.ts';
import { onOtherTabs } from './tabs.ts';
import type {
  Bootstrap,
  Context,
  DecideOptions,
  Identity,
  PageAnswer,
  Stepwell,
  StepwellOptions,
  UseCase,
  UseCases,
  ZoneAnswer,
} from './types.ts';
import { createWithdrawals } from './withdrawals.ts';
import { type ZoneAnswers, zoneAnswers } from './zone-answers.ts';

const noAnswers: ZoneAnswers = new Map();
const budgetDefaultMs = 200;

/** An answer that came too late to be rendered, and for whom. */
interface Late {
  readonly of: number;
  readonly zones: readonly ZoneAnswer[];
}

export function createStepwell(options: StepwellOptions): Stepwell {
  const { url, key, fallbacks, now: nowMs = Date.now, artefact = `${url}/v1/artefact` } = options;
  // Elsewhere than in a page a `localStorage` is nobody's in particular.
  const keep = createKeep(() => (options.storage === undefined ? around.document && around.localStorage : options.storage), nowMs);
  const flights = new Map<string, Promise<ZoneAnswers>>();
  let { context = {} } = options;
  let identity: Identity | undefined;
  /** Grows when all is forgotten: what was on its way then is nobody's. */
  let age = 0;
  let heard = said();
  let kept = keptLate();
  /** What this view shows, from before the client came on. */
  const rendered = new Map(bootstrapOf(options.bootstrap));

  const isGpc = (): boolean => options.gpc ?? around.navigator?.globalPrivacyControl === true;
  const signals = createSignals(keep, nowMs, () => {
    const { content_personalization: content, offers } = said();
    return content === 'granted' || (offers === 'granted' && !isGpc());
  });
  const send = (address: string, headers: Readonly<Record<string, string>> = {}, body?: object): Promise<Reply> => {
    const posted = body && { method: 'POST', keepalive: true, body: JSON.stringify(body) };
    const said = { ...headers, ...(key && { Authorization: `Bearer ${key}` }), ...(body && { 'Content-Type': 'application/json' }) };
    return exchange(options.fetch ?? fetch, address, { ...posted, headers: said });
  };
  const artefacts = createArtefactHolder(artefact, `${url}/.well-known/stepwell-keys.json`, options.keys, keep, nowMs, send);
  const withdraw = createWithdrawals(keep, (withdrawal) =>
    send(`${url}/v1/sessions/${encodeURIComponent(withdrawal[0])}/withdrawals`, {}, { useCases: withdrawal[1] }),
  );
  const tabs = onOtherTabs((word) => {
    if (word) keep.write('consent', word);
    else forgetHere();
    heed();
  });
  around.addEventListener?.('online', () => withdraw());
  withdraw();
  void artefacts.refresh(freshMs);

  function said(): UseCases {
    return keep.read<UseCases>('consent', {});
  }

  /** What another tab said, or who wiped the storage, holds before anything else is answered. */
  function heed(): void {
    const before = heard;
    heard = said();
    const isLess = (Object.keys(before) as UseCase[]).some((name) => before[name] === 'granted' && heard[name] !== 'granted');
    if (!isLess) return;
    if (!signals.all()) keep.write('signals', undefined);
    kept = undefined;
    keep.write('late', undefined);
    for (const [zone, { tier }] of rendered) if (tier !== 'anonymous') rendered.delete(zone);
    options.onWithdrawal?.();
  }

  function forgetHere(): void {
    for (const name of names) keep.write(name, undefined);
    age++;
    artefacts.drop();
    flights.clear();
    identity = kept = undefined;
    rendered.clear();
  }

  function keptLate(): Late | undefined {
    const late = keep.read<Late | undefined>('late', undefined);
    keep.write('late', undefined);
    return late;
  }

  /** Whom an answer is for: to anybody else, or to the same person under other consent, it is not shown. */
  function visitor(page: string): number {
    return stableHash(JSON.stringify([page, context, heard, identity, age]));
  }

  function ask(page: string, budgetMs: number, { zones, consent }: DecideOptions): Promise<ZoneAnswers> {
    const question = { page, zones, identity, consent: { ...consent, useCases: heard }, context };
    const id = JSON.stringify(question);
    const deadlineMs = Math.ceil(budgetMs);
    const flight =
      flights.get(id) ??
      send(`${url}/v1/decide`, isGpc() ? { 'Sec-GPC': '1' } : {}, { ...question, deadlineMs }).then(({ status, text }) => {
        flights.delete(id);
        return status === 200 ? zoneAnswers(jsonOf(text), 'server', 'answer') : noAnswers;
      });
    flights.set(id, flight);
    return flight;
  }

  async function decide(page: string, asked: DecideOptions = {}): Promise<PageAnswer> {
    heed();
    const { zones, budgetMs = budgetDefaultMs } = asked;
    const wanted = zones ?? zonesOf(page);
    // What a server or an edge has rendered is as good as it gets for this view.
    if (wanted[0] && wanted.every((id) => (rendered.get(id)?.source ?? 'device') !== 'device')) return compose(page, zones, noAnswers);
    const of = visitor(page);
    const flight = ask(page, budgetMs, asked);
    const isCurrent = (): boolean => {
      heed();
      return of === visitor(page);
    };
    // What is rendered stays, so there is nothing to wait for where all is; the answer is for the next view.
    const isOpen = !wanted[0] || wanted.some((id) => !rendered.has(id));
    const inTime = await within(isOpen ? budgetMs : 0, flight, noAnswers);
    const answer = compose(page, zones, isCurrent() ? inTime : noAnswers);
    void flight.then((answers) => {
      const late = [...answers.values()].filter((one) => rendered.get(one.zone) !== one && one.render !== 'defer');
      if (isCurrent() && late[0]) keep.write('late', { of, zones: late } satisfies Late);
    });
    return answer;
  }

  function zonesOf(page: string): readonly string[] {
    const { pages, zones = {} } = fallbacks ?? {};
    const packed = pages ? own(pages, page) : Object.keys(zones);
    return own(artefacts.current()?.pages ?? {}, page) ?? (packed?.[0] ? packed : [...rendered.keys()]);
  }

  /** What is rendered, else what came, else what was kept for this view, else what is decided here, else what is approved for everybody. */
  function compose(page: string, asked: readonly string[] | undefined, fresh: ZoneAnswers): PageAnswer {
    const known = asked ?? zonesOf(page);
    const ids = known[0] ? known : [...fresh.keys()];
    const late = kept?.of === visitor(page) ? zoneAnswers(kept, 'server', 'kept') : noAnswers;
    const found = new Map([...late, ...fresh, ...rendered]);
    const shown = [...found.values()];
    const { audiences = null, ...request } = context as Context & { readonly audiences?: readonly string[] };
    const policy = artefacts.current();
    const here = policy
      ? decideOnDevice(policy, {
          nowMs: nowMs(),
          page,
          zones: ids.filter((id) => !found.has(id)),
          request,
          audiences,
          consent: heard,
          gpc: isGpc(),
          signals: signals.all(),
          // The random part of a session id is what the service breaks ties with.
          seed: identity?.sessionId?.slice(3, 27) ?? '',
        })
      : [];
    for (const decision of here) {
      // On one page the same offer is shown once.
      if (!shown.some(({ offer }) => offer && offer === decision.offer))
        found.set(decision.zone, { ...decision, source: 'device', via: 'artefact' });
    }
    const zones = ids.flatMap((id) => {
      const fallback = own(fallbacks?.zones ?? {}, id);
      return found.get(id) ?? (fallback ? { ...approved, zone: id, ...fallback } : []);
    });
    // What is deferred is to be asked for again after the first paint, and may change then.
    for (const zone of zones) if (zone.render !== 'defer') rendered.set(zone.zone, zone);
    return { page, source: (zones.find(({ source }) => source === 'device') ?? zones[0])?.source ?? 'device', zones };
  }

  return {
    ready: artefacts.ready,
    now(page, { zones } = {}) {
      heed();
      return compose(page, zones, noAnswers);
    },
    decide,
    view(next = context) {
      context = next;
      rendered.clear();
      kept = keptLate();
      void artefacts.refresh(freshMs);
    },
    setConsent(useCases) {
      const before = said();
      keep.write('consent', useCases);
      heed();
      tabs?.postMessage(useCases);
      // The contextual ones use nothing known about a person, so there is no record to take them back from.
      const isWithdrawn = (name: UseCase): boolean =>
        useCases[name] === 'denied' && before[name] !== 'denied' && !name.startsWith('contextual');
      const withdrawn = (Object.keys(useCases) as UseCase[]).filter(isWithdrawn);
      const { sessionId } = identity ?? {};
      if (sessionId && withdrawn[0]) withdraw([sessionId, withdrawn]);
    },
    identify(next) {
      identity = next ?? undefined;
    },
    signals,
    refresh: artefacts.refresh,
    forget() {
      forgetHere();
      heed();
      tabs?.postMessage(null);
    },
    close() {
      tabs?.close();
    },
  };
}

/** What the business approved for everybody: no rule of a person's chose it. */
const approved = {
  tier: 'anonymous',
  intendedTier: 'anonymous',
  offer: null,
  render: 'now',
  downgrade: null,
  source: 'device',
  via: 'fallback',
} as const;

function bootstrapOf(given: StepwellOptions['bootstrap'] = 'stepwell-bootstrap'): ZoneAnswers {
  const said = typeof given === 'string' ? (jsonOf(around.document?.getElementById(given)?.textContent) as Bootstrap | undefined) : given;
  return zoneAnswers(said, said?.source ?? 'edge', 'bootstrap');
}
