/**
 * The ids of what is of class S2 or S3 reach the person who is shown it and whoever asks for them by name, and nobody else: no metric,
 * span, log line, header, address of a cache or question to the store carries one.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openEmbeddedStore } from '../../src/embedded/embedded-store.ts';
import { compilePolicy } from '../../src/policy/compile.ts';
import { type Canaries, hitsIn, type Output } from '../canaries/canary.ts';
import { startService } from '../http/service.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { type Asked, canaries, type ObservedWithAsks, observe, pharmacy, shortOfS2, steppedUp } from './pharmacy.ts';

async function observed(asked: readonly Asked[]): Promise<ObservedWithAsks> {
  const directory = mkdtempSync(join(tmpdir(), 'stepwell-opaque-'));
  const store = openEmbeddedStore({ directory, clock: new VirtualClock(), repeat: () => () => {} });
  onTestFinished(async () => {
    await store.close();
    rmSync(directory, { recursive: true, force: true });
  });
  return observe({ store, kept: 'and all', asked });
}

interface Parts {
  readonly status: number;
  readonly headers: string;
  readonly body: string;
}

/** An answer as it was kept: `<name>: <status> <headers> <body>`. */
function partsOf(answer: string): Parts {
  const [, status = '', headers = '', body = ''] = /^.*?: (\d{3}) (\{[^}]*\}) ([\s\S]*)$/.exec(answer) ?? [];
  return { status: Number(status), headers, body };
}

/** What a zone says beside what it shows. */
function besideShown(body: string): string {
  return body.replaceAll(/"(variant|offer|content)":(?:"[^"]*"|null)/g, '');
}

function outsideOf({ answers, logLines, spans, metrics, asks }: ObservedWithAsks): readonly Output[] {
  return [
    { name: 'log', text: logLines.join('\n') },
    { name: 'spans', text: JSON.stringify(spans) },
    { name: 'metrics', text: metrics.join('\n') },
    { name: 'questions to the store', text: asks.join('\n') },
    ...answers.map((answer) => ({ name: `headers: ${answer.slice(0, 40)}`, text: partsOf(answer).headers })),
  ];
}

const everyCanary: Canaries = canaries;

describe('ids of what is of class S2 or S3', () => {
  it('are in the answer to the person who is shown it, and nowhere else', async () => {
    const streamed = await steppedUp('ada');
    const asked = [
      await steppedUp('ada'),
      { ...streamed, name: 'streamed', headers: { accept: 'application/x-ndjson' } },
      await steppedUp('bob'),
      { name: 'the document', call: { method: 'GET' as const, url: '/openapi.json' }, payload: {} },
    ];
    const seen = await observed(asked);
    const [whole, stream, ofBob] = seen.answers.map((answer) => partsOf(answer).body);
    for (const body of [whole, stream]) {
      for (const shown of ['specialOffer', 'specialVariant'] as const) expect(body).toContain(canaries[shown]);
      expect(hitsIn([{ name: 'beside what is shown', text: besideShown(body ?? '') }], everyCanary)).toEqual([]);
    }
    expect(ofBob).toContain(canaries.elevatedOffer);
    expect(ofBob).not.toContain(canaries.specialOffer);
    const document = partsOf(seen.answers[3] ?? '');
    expect(document.status).toBe(200);
    expect(hitsIn([...outsideOf(seen), { name: 'the document', text: document.body }], everyCanary)).toEqual([]);
    expect(seen.spans.length + seen.logLines.length).toBeGreaterThan(8);
  });

  it('are not in the log where they are written or asked for by name, rightly or wrongly', async () => {
    const c = canaries;
    const write = (attributes: object): Asked => ({
      name: JSON.stringify(attributes),
      call: { method: 'PUT', url: '/v1/profiles/dora' },
      payload: { attributes, audiences: [] },
    });
    const seen = await observed([
      write({ [c.elevatedAttribute]: 'low' }),
      write({ [c.elevatedAttribute]: 1 }),
      write({ [`${c.elevatedAttribute}s`]: 'low' }),
      { name: 'named at the edge', payload: { page: 'home', context: { audiences: [c.elevatedAudience] } } },
      { name: 'as a zone', payload: { zones: [c.specialOffer] } },
      { name: 'in an address', call: { method: 'GET', url: `/v1/decide?page=home&zones=${c.specialOffer}` }, payload: {} },
      { name: 'in a path', call: { method: 'GET', url: `/v1/${c.specialOffer}` }, payload: {} },
    ]);
    expect(seen.answers.slice(0, 7).map((answer) => partsOf(answer).status)).toEqual([201, 400, 400, 400, 404, 404, 404]);
    // What is written is asked of the store, by whoever writes it.
    expect(hitsIn(outsideOf({ ...seen, asks: [] }), everyCanary)).toEqual([]);
  });

  it('would be found wherever they are looked for', () => {
    const text = `of ${canaries.specialOffer}`;
    const none: ObservedWithAsks = { answers: [], logLines: [], spans: [], metrics: [], asks: [] };
    for (const told of [
      { logLines: [text] },
      { spans: [text] },
      { metrics: [text] },
      { asks: [text] },
      { answers: [`a: 200 {"x":"${text}"} {}`] },
    ])
      expect(hitsIn(outsideOf({ ...none, ...told }), everyCanary), JSON.stringify(told)).not.toEqual([]);
  });
});

describe('an answer about what may be of class S2 or S3', () => {
  const approved = { by: 'Editor', on: '2026-11-01', until: '2027-11-01' };
  it('is private and never stored, also where it shows what everybody is shown', async () => {
    const { answers } = await observed(await shortOfS2());
    for (const answer of answers.slice(0, -1)) expect(partsOf(answer).headers).toContain('"cache-control":"private, no-store"');
  });

  it('may be shared only as what everybody is shown: a GET can serve nothing but class S0', async () => {
    const countries = ['DE', 'AT', 'US'].map(
      (country): Asked => ({
        name: country,
        call: { method: 'GET', url: `/v1/decide?page=home&country=${country}` },
        payload: {},
      }),
    );
    const { answers } = await observed(countries);
    for (const answer of answers) expect(hitsIn([{ name: answer.slice(0, 8), text: answer }], everyCanary)).toEqual([]);
    // Not even where an author would have it so.
    const { variants, ...policy } = pharmacy('and all') as { readonly variants: object };
    const everybody = { kind: 'content', ladder: [{ tier: 'anonymous', variant: canaries.specialVariant, approved }] };
    const document = JSON.stringify({ ...policy, variants, pages: {}, offers: {}, zones: { care: everybody } });
    const { artefact, problems } = compilePolicy(document, { file: 'everybody.json', nowMs: Date.UTC(2026, 10, 21) });
    expect([artefact, problems.map(({ code }) => code)]).toEqual([null, expect.arrayContaining(['anonymous-sensitive'])]);
  });

  it('is the same for everybody where it is shared, also of a zone that is of class S2 or S3 itself', async () => {
    const { app } = await startService({}, 'test/http/sensitive.yaml');
    const response = await app.inject({ method: 'GET', url: '/v1/decide?zones=care,credit' });
    expect(response.statusCode).toBe(200);
    for (const zone of response.json().zones) {
      expect(zone).toMatchObject({ tier: 'anonymous', intendedTier: 'anonymous', variant: 'plain', downgrade: null });
    }
  });
});
