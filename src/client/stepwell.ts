/**
 * Decisions where they are rendered. `now` and `decide` always answer: with what the service says, else what this device can decide,
 * else what the business approved. What was rendered stays for the whole view, unless the visitor takes consent back.
 */
import { stableHash } from '../decision/hash.ts';
import { own } from '../device/condition.ts';
import { decideOnDevice } from '../device/decide-on-device.ts';
import { createArtefactHolder, freshMs } from './artefact-holder.ts';
import { createKeep } from './keep.ts';
import { exchange, patienceMs, type Reply, within } from './network.ts';
import { createSignals } from './signals.ts';
import { around, jsonOf } from './surroundings.ts';
import { onOtherTabs, type Word } from './tabs.ts';
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

const budgetDefaultMs = 200;

/** An answer that came too late to be rendered, and for whom. */
interface Late {
  readonly of: number;
  readonly zones: readonly ZoneAnswer[];
}

export function createStepwell(options: StepwellOptions): Stepwell {
  let { context = {}, url, key, fallbacks, now: nowMs = Date.now, artefact = `${url}/v1/artefact` } = options;
  // Elsewhere than in a page a `localStorage` is nobody's in particular.
  const prefix = `stepwell:${url}:`;
  const keep = createKeep(prefix, () => (options.storage === undefined ? around.document && around.localStorage : options.storage), nowMs);
  const flights = new Map<string, Promise<ZoneAnswers>>();
  let identity: Identity | undefined;
  // Who has refused everything before is heard anew: a page from a cache, or of a server that does not know, may show what is personal.
  let heard = withdrawn(said(), {})[0] ? said() : {};
  let kept: Late | undefined;
  /** What this view shows, from before the client came on. */
  let rendered = new Map(bootstrapOf(options.bootstrap).map((answer) => [answer.zone, answer]));

  const isGpc = (): boolean => (options.gpc ?? around.navigator?.globalPrivacyControl) as boolean;
  const signals = createSignals(keep, nowMs, () => {
    const { content_personalization: content, offers } = said();
    return content === 'granted' || (offers === 'granted' && !isGpc());
  });
  const send = (address: string, headers?: Readonly<Record<string, string>>, body?: object): Promise<Reply> => {
    // A withdrawal outlives the page. There is little room for what does, so nothing that brings headers of its own.
    const posted = body && { method: 'POST', keepalive: !headers, body: JSON.stringify(body) };
    const said = { ...headers, ...(key && { Authorization: `Bearer ${key}` }), ...(body && { 'Content-Type': 'application/json' }) };
    return exchange(options.fetch ?? around.fetch, address, { ...posted, headers: said });
  };
  const artefacts = createArtefactHolder(artefact, `${url}/.well-known/stepwell-keys.json`, options.keys, keep, nowMs, send);
  const withdraw = createWithdrawals(keep, async ([sessionId, useCases]) =>
    send(`${url}/v1/sessions/${encodeURIComponent(sessionId)}/withdrawals`, undefined, { useCases }),
  );
  let tabs = onOtherTabs(prefix, hear);
  around.addEventListener?.('online', () => withdraw());
  begin();

  function said(): UseCases {
    return keep.read<UseCases>('consent', {});
  }

  /** What another tab said, or who wiped the storage, holds before anything else is answered. */
  function heed(): void {
    const before = heard;
    heard = said();
    if (!withdrawn(before, heard)[0]) return;
    if (!signals.all()) keep.write('signals');
    kept = undefined;
    keep.write('late');
    for (const [zone, { tier }] of rendered) if (tier !== 'anonymous') rendered.delete(zone);
    try {
      options.onWithdrawal?.();
    } catch (error) {
      // The page's own mistake takes nobody's answer away.
      around.reportError?.(error);
    }
  }

  /** In this tab or in another. */
  function hear(word: Word): void {
    if (word) {
      keep.write('consent', word);
    } else {
      keep.forget();
      void artefacts.refresh(Number.POSITIVE_INFINITY);
      identity = kept = undefined;
      rendered = new Map();
    }
    heed();
  }

  function say(word: Word): void {
    hear(word);
    tabs?.postMessage(word);
  }

  function begin(): void {
    kept = keep.read<Late | undefined>('late');
    keep.write('late');
    withdraw();
    void artefacts.refresh(freshMs);
  }

  /** Whom an answer is for, as of now: to anybody else, or to the same person under other consent, it is not shown. */
  function forWhom(page: string): number {
    return stableHash(JSON.stringify([page, context, heard, identity, keep.age]));
  }

  function ask(page: string, of: number, budgetMs: number, { zones, consent }: DecideOptions): Promise<ZoneAnswers> {
    const id = JSON.stringify([of, zones, consent]);
    const question = { page, zones, identity, consent: { ...consent, useCases: heard }, context, deadlineMs: ~~budgetMs };
    const flight =
      flights.get(id) ??
      send(`${url}/v1/decide`, { ...(isGpc() && { 'Sec-GPC': '1' }) }, question).then(({ status, text }) => {
        flights.delete(id);
        return zoneAnswers(status === 200 && jsonOf(text), 'answer');
      });
    flights.set(id, flight);
    return flight;
  }

  async function decide(page: string, asked: DecideOptions = {}): Promise<PageAnswer> {
    heed();
    const { zones } = asked;
    // Not a number is none, and a timer that is set too far ends at once.
    const budgetMs = Math.min(Math.max(asked.budgetMs ?? budgetDefaultMs, 0), patienceMs) || 0;
    const wanted = zones ?? zonesOf(page);
    const view = rendered;
    // What is rendered stays, so there is nothing to wait for where all is; the answer is for the next view.
    const isWhole = !!wanted[0] && wanted.every((id) => isSettled(view.get(id)));
    // What a server or an edge has said of this view is as good as it gets.
    if (isWhole && wanted.every((id) => ['answer', 'bootstrap'].includes((view.get(id) as ZoneAnswer).via)))
      return compose(page, zones, [], view);
    const of = forWhom(page);
    const flight = ask(page, of, budgetMs, asked);
    const isCurrent = (): boolean => {
      heed();
      return of === forWhom(page);
    };
    const inTime = await within(isWhole ? 0 : budgetMs, flight, []);
    // What was asked before consent changed, or by a view that is over, is shown to nobody and stays nowhere.
    const answer = isCurrent() ? compose(page, zones, inTime, view) : compose(page, zones, [], new Map(rendered));
    void flight.then((answers) => {
      const late = answers.filter((one) => view.get(one.zone) !== one && isSettled(one));
      if (isCurrent() && late[0]) keep.write('late', { of, zones: late } satisfies Late);
    });
    return answer;
  }

  function zonesOf(page: string): readonly string[] {
    const { pages, zones = {} } = fallbacks ?? {};
    const ids = own(artefacts.current()?.pages, page) ?? (pages ? own(pages, page) : Object.keys(zones));
    return ids?.[0] ? ids : [...rendered.keys()];
  }

  /** What is rendered, else what came, else what was kept for this view, else what is decided here, else what is approved for everybody. */
  function compose(page: string, asked: readonly string[] | undefined, fresh: ZoneAnswers, view = rendered): PageAnswer {
    heed();
    const late = zoneAnswers(kept?.of === forWhom(page) && kept, 'kept');
    const shown = [...view.values()];
    // What was deferred gives way to what came.
    const found = new Map([...late, ...shown, ...fresh, ...shown.filter(isSettled)].map((answer) => [answer.zone, answer]));
    const known = zonesOf(page);
    const ids = asked ?? (known[0] ? known : [...found.keys()]);
    const { audiences, ...request } = context as Context & { readonly audiences?: readonly string[] };
    const policy = artefacts.current();
    if (policy) {
      const question = {
        nowMs: nowMs(),
        page,
        zones: ids.filter((id) => !found.has(id)),
        shownOffers: [...known, ...ids].map((id) => found.get(id)?.offer ?? ''),
        request,
        audiences,
        consent: heard,
        gpc: isGpc(),
        signals: signals.all(),
        // The random part of a session id is what the service breaks ties with.
        seed: identity?.sessionId?.slice(3, 27) ?? '',
      };
      for (const decision of decideOnDevice(policy, question)) found.set(decision.zone, { ...decision, source: 'device', via: 'artefact' });
    }
    const zones = ids.flatMap((id) => {
      const fallback = own(fallbacks?.zones, id);
      // What the business approved for everybody: no rule of a person's chose it.
      const approved = (): ZoneAnswer =>
        ({
          zone: id,
          tier: 'anonymous',
          intendedTier: 'anonymous',
          offer: null,
          render: 'now',
          downgrade: null,
          ...fallback,
          source: 'device',
          via: 'fallback',
        }) as ZoneAnswer;
      return found.get(id) ?? (fallback ? approved() : []);
    });
    for (const zone of zones) view.set(zone.zone, zone);
    return { page, source: zones.map(({ source }) => source).sort()[0] ?? 'device', zones };
  }

  return {
    ready: artefacts.ready,
    now: (page, { zones } = {}) => compose(page, zones, []),
    decide,
    view(next = context) {
      context = next;
      rendered = new Map();
      begin();
    },
    setConsent(useCases) {
      const before = said();
      say(useCases);
      // The contextual ones use nothing known about a person, so there is no record to take them back from.
      const names = withdrawn(before, useCases).filter((name) => !name.includes('contextual'));
      const sessionId = identity?.sessionId;
      if (sessionId && names[0]) withdraw([sessionId, names]);
    },
    identify(next) {
      identity = next ?? undefined;
    },
    signals,
    refresh: artefacts.refresh,
    forget() {
      say(null);
    },
    close() {
      tabs?.close();
      tabs = undefined;
    },
  };
}

/** What was granted and is no longer, and what is denied for the first time. */
function withdrawn(before: UseCases, after: UseCases): readonly UseCase[] {
  return (Object.keys({ ...before, ...after }) as UseCase[]).filter(
    (name) => after[name] !== before[name] && (after[name] === 'denied' || before[name] === 'granted'),
  );
}

/** What is deferred is to be asked for again after the first paint, and may change then. */
function isSettled(answer: ZoneAnswer | undefined): answer is ZoneAnswer {
  return answer !== undefined && answer.render !== 'defer';
}

function bootstrapOf(given: StepwellOptions['bootstrap'] = 'stepwell-bootstrap'): ZoneAnswers {
  const said = typeof given === 'string' ? (jsonOf(around.document?.getElementById(given)?.textContent) as Bootstrap | undefined) : given;
  return zoneAnswers(said, 'bootstrap', said?.source ?? 'edge');
}
