/**
 * The cases of W3C's own harness for Trace Context, by their names there, all of them, strict and at level 2: each is a request to a
 * real service, judged by what the service then sends to the sources that its policy names. Ours come after.
 */
import { describe, expect, test } from 'vitest';
import { openTelemetry } from '../../src/telemetry/late.ts';
import { startTelemetry } from '../../src/telemetry/start.ts';
import { noTelemetry, type TraceCarrier } from '../../src/telemetry/telemetry.ts';
import { propagationOf, traceContext } from '../../src/telemetry/trace-context.ts';
import { systemClock } from '../../src/time/clock.ts';
import { type Header, type OutgoingCall, oneCall, type TracedService, threeCalls, tracedService } from './trace-context-service.ts';

const traceId = '12345678901234567890123456789012';
const parentId = '1234567890123456';
const valid = `00-${traceId}-${parentId}-01`;
const unsampled: Header = ['traceparent', `00-${traceId}-${parentId}-00`];

interface Told {
  readonly traceId: string;
  readonly parentId: string;
  readonly flags: number;
  /** In the order in which they came. */
  readonly state: ReadonlyMap<string, string>;
}

/** What one case sends, one request after another, and what each has to come to. */
interface Case {
  readonly name: string;
  readonly sent: readonly (readonly Header[])[];
  readonly expects: (told: Told, index: number) => void;
}

/** As the harness reads what it is called with: strictly, and with just one `traceparent`. */
function readBack({ headers }: OutgoingCall): Told {
  const of = (wanted: string) => headers.flatMap(([name, value]) => (name.toLowerCase() === wanted ? [value] : []));
  const [first = '', ...more] = of('traceparent');
  expect(more).toEqual([]);
  const [, id = '', parent = '', flags = ''] = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/.exec(first) ?? [];
  expect(id, `not a traceparent: ${first}`).not.toBe('');
  expect(id).not.toMatch(/^0+$/);
  expect(parent).not.toMatch(/^0+$/);
  const state = new Map<string, string>();
  for (const member of of('tracestate').flatMap((line) => line.split(/[ \t]*,[ \t]*/))) {
    const [, key = '', value = ''] =
      /^([0-9a-z][_0-9a-z\-*/@]{0,255})=([\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e])$/.exec(member) ?? [];
    expect(key, `not a member: ${member}`).not.toBe('');
    if (!state.has(key)) state.set(key, value);
  }
  return { traceId: id, parentId: parent, flags: Number.parseInt(flags, 16), state };
}

const traceparents = (...values: readonly string[]): Header[][] => values.map((value) => [['traceparent', value]]);
const states = (...values: readonly string[]): Header[] => [unsampled, ...values.map((value): Header => ['tracestate', value])];

const begins =
  (...never: readonly string[]) =>
  (told: Told) => {
    for (const id of [traceId, ...never]) expect(told.traceId).not.toBe(id);
  };
function goesOn(told: Told): void {
  expect(told.traceId).toBe(traceId);
  expect(told.parentId).not.toBe(parentId);
}
const handsOn = (members: Readonly<Record<string, string>>) => (told: Told) => {
  goesOn(told);
  expect([...told.state]).toEqual(Object.entries(members));
};
function drops(told: Told): void {
  goesOn(told);
  expect([...told.state]).toEqual([]);
}

const twenty = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => String(from + index).padStart(2, '0'))
    .map((number) => `bar${number}=${number}`)
    .join(',');
const characters = (from: number, to: number) => String.fromCharCode(...Array.from({ length: to - from + 1 }, (_, index) => from + index));
const everyKey = `${characters(0x61, 0x7a)}0123456789_-*/`;
const everyValue = characters(0x20, 0x2b) + characters(0x2d, 0x3c) + characters(0x3e, 0x7e);
const longKeys = ['z'.repeat(256), 'z'.repeat(257), `${'t'.repeat(241)}@${'v'.repeat(14)}`, `${'t'.repeat(242)}@v`, `t@${'v'.repeat(15)}`];

const cases: readonly Case[] = [
  { name: 'test_both_traceparent_and_tracestate_missing', sent: [[]], expects: begins() },
  { name: 'test_traceparent_included_tracestate_missing', sent: traceparents(valid), expects: goesOn },
  {
    name: 'test_traceparent_duplicated',
    sent: [
      [
        ['traceparent', `00-12345678901234567890123456789011-${parentId}-01`],
        ['traceparent', valid],
      ],
    ],
    expects: begins('12345678901234567890123456789011'),
  },
  { name: 'test_traceparent_header_name', sent: [[['trace-parent', valid]], [['trace.parent', valid]]], expects: begins() },
  {
    name: 'test_traceparent_header_name_valid_casing',
    sent: [[['TraceParent', valid]], [['TrAcEpArEnT', valid]], [['TRACEPARENT', valid]]],
    expects: goesOn,
  },
  {
    name: 'test_traceparent_version_0x00',
    sent: traceparents(`${valid}.`, `${valid}-what-the-future-will-be-like`),
    expects: begins(),
  },
  {
    name: 'test_traceparent_version_0xcc',
    sent: traceparents(
      `cc-${traceId}-${parentId}-01`,
      `cc-${traceId}-${parentId}-01-what-the-future-will-be-like`,
      `cc-${traceId}-${parentId}-01.what-the-future-will-be-like`,
    ),
    expects: (told, index) => (index < 2 ? goesOn : begins())(told),
  },
  { name: 'test_traceparent_version_0xff', sent: traceparents(`ff-${traceId}-${parentId}-01`), expects: begins() },
  {
    name: 'test_traceparent_version_illegal_characters',
    sent: traceparents(`.0-${traceId}-${parentId}-01`, `0.-${traceId}-${parentId}-01`),
    expects: begins(),
  },
  {
    name: 'test_traceparent_version_too_long',
    sent: traceparents(`000-${traceId}-${parentId}-01`, `0000-${traceId}-${parentId}-01`),
    expects: begins(),
  },
  { name: 'test_traceparent_version_too_short', sent: traceparents(`0-${traceId}-${parentId}-01`), expects: begins() },
  {
    name: 'test_traceparent_trace_id_all_zero',
    sent: traceparents(`00-${'0'.repeat(32)}-${parentId}-01`),
    expects: begins('0'.repeat(32)),
  },
  {
    name: 'test_traceparent_trace_id_illegal_characters',
    sent: traceparents(`00-.${traceId.slice(1)}-${parentId}-01`, `00-${traceId.slice(0, -1)}.-${parentId}-01`),
    expects: begins(),
  },
  {
    name: 'test_traceparent_trace_id_too_long',
    sent: traceparents(`00-${traceId}3-${parentId}-01`),
    expects: begins('23456789012345678901234567890123'),
  },
  { name: 'test_traceparent_trace_id_too_short', sent: traceparents(`00-${traceId.slice(0, -1)}-${parentId}-01`), expects: begins() },
  { name: 'test_traceparent_parent_id_all_zero', sent: traceparents(`00-${traceId}-${'0'.repeat(16)}-01`), expects: begins() },
  {
    name: 'test_traceparent_parent_id_illegal_characters',
    sent: traceparents(`00-${traceId}-.${parentId.slice(1)}-01`, `00-${traceId}-${parentId.slice(0, -1)}.-01`),
    expects: begins(),
  },
  { name: 'test_traceparent_parent_id_too_long', sent: traceparents(`00-${traceId}-${parentId}7-01`), expects: begins() },
  { name: 'test_traceparent_parent_id_too_short', sent: traceparents(`00-${traceId}-${parentId.slice(0, -1)}-01`), expects: begins() },
  {
    name: 'test_traceparent_trace_flags_illegal_characters',
    sent: traceparents(`00-${traceId}-${parentId}-.0`, `00-${traceId}-${parentId}-0.`),
    expects: begins(),
  },
  { name: 'test_traceparent_trace_flags_too_long', sent: traceparents(`00-${traceId}-${parentId}-001`), expects: begins() },
  { name: 'test_traceparent_trace_flags_too_short', sent: traceparents(`00-${traceId}-${parentId}-1`), expects: begins() },
  {
    name: 'test_traceparent_ows_handling',
    sent: traceparents(` ${valid}`, `\t${valid}`, `${valid} `, `${valid}\t`, `\t ${valid} \t`),
    expects: goesOn,
  },
  {
    name: 'test_tracestate_included_traceparent_missing',
    sent: [[['tracestate', 'foo=1']], [['tracestate', 'foo=1,bar=2']]],
    expects: (told) => expect(told.state.size).toBe(0),
  },
  { name: 'test_tracestate_included_traceparent_included', sent: [states('foo=1,bar=2')], expects: handsOn({ foo: '1', bar: '2' }) },
  {
    name: 'test_tracestate_header_name',
    sent: [
      [unsampled, ['trace-state', 'foo=1']],
      [unsampled, ['trace.state', 'foo=1']],
    ],
    expects: drops,
  },
  {
    name: 'test_tracestate_header_name_valid_casing',
    sent: [
      [unsampled, ['TraceState', 'foo=1']],
      [unsampled, ['TrAcEsTaTe', 'foo=1']],
      [unsampled, ['TRACESTATE', 'foo=1']],
    ],
    expects: handsOn({ foo: '1' }),
  },
  {
    name: 'test_tracestate_empty_header',
    sent: [states(''), states('foo=1', ''), states('', 'foo=1')],
    expects: (told, index) => (index === 0 ? drops : handsOn({ foo: '1' }))(told),
  },
  {
    name: 'test_tracestate_multiple_headers_different_keys',
    sent: [states('foo=1,bar=2', 'rojo=1,congo=2', 'baz=3')],
    expects: handsOn({ foo: '1', bar: '2', rojo: '1', congo: '2', baz: '3' }),
  },
  {
    name: 'test_tracestate_duplicated_keys',
    sent: [states('foo=1,foo=1'), states('foo=1,foo=2'), states('foo=1', 'foo=1'), states('foo=1', 'foo=2')],
    expects: handsOn({ foo: '1' }),
  },
  {
    name: 'test_tracestate_all_allowed_characters',
    sent: [states(`${everyKey}=${everyValue}`), states(`${everyKey}@a-z0-9_-*/=${everyValue}`)],
    expects: (told, index) => handsOn({ [index === 0 ? everyKey : `${everyKey}@a-z0-9_-*/`]: everyValue })(told),
  },
  {
    name: 'test_tracestate_ows_handling',
    sent: [
      states('foo=1 \t , \t bar=2, \t baz=3'),
      states('foo=1\t \t,\t \tbar=2,\t \tbaz=3'),
      states(' foo=1'),
      states('\tfoo=1'),
      states('foo=1 '),
      states('foo=1\t'),
      states('\t foo=1 \t'),
    ],
    expects: (told, index) => handsOn(index < 2 ? { foo: '1', bar: '2', baz: '3' } : { foo: '1' })(told),
  },
  {
    name: 'test_tracestate_key_illegal_characters',
    sent: [states('foo =1'), states('FOO=1'), states('foo.bar=1')],
    expects: drops,
  },
  {
    name: 'test_tracestate_key_illegal_vendor_format',
    sent: [states('foo@=1,bar=2'), states('@foo=1,bar=2'), states('foo@@bar=1,bar=2'), states('foo@bar@baz=1,bar=2')],
    expects: (told, index) =>
      index === 1 ? drops(told) : handsOn({ [['foo@', '', 'foo@@bar', 'foo@bar@baz'][index] as string]: '1', bar: '2' })(told),
  },
  {
    name: 'test_tracestate_member_count_limit',
    sent: [
      states(twenty(1, 10), twenty(11, 20), twenty(21, 30), twenty(31, 32)),
      states(twenty(1, 10), twenty(11, 20), twenty(21, 30), twenty(31, 33)),
    ],
    expects: (told, index) => expect([told.state.get('bar01'), told.state.size]).toEqual(index === 0 ? ['01', 32] : [undefined, 0]),
  },
  {
    name: 'test_tracestate_key_length_limit',
    sent: longKeys.map((key) => states('foo=1', `${key}=1`)),
    expects: (told, index) => (index === 1 ? drops : handsOn({ foo: '1', [longKeys[index] as string]: '1' }))(told),
  },
  { name: 'test_tracestate_value_illegal_characters', sent: [states('foo=bar=baz'), states('foo=,bar=3')], expects: drops },
  {
    name: 'test_propagates_random_flag',
    sent: traceparents(`00-${traceId}-${parentId}-02`),
    expects: (told) => {
      goesOn(told);
      expect(told.flags & 2).toBe(2);
    },
  },
];

/** The cases that make the service ask several sources at once. */
const casesOfMany: readonly { readonly name: string; readonly sent: readonly Header[]; readonly expects: (ids: Set<string>) => void }[] = [
  {
    name: 'test_multiple_requests_with_valid_traceparent',
    sent: [['traceparent', valid]],
    expects: (ids) => expect([...ids]).toEqual([traceId]),
  },
  { name: 'test_multiple_requests_without_traceparent', sent: [], expects: (ids) => expect(ids.has(traceId)).toBe(false) },
  {
    name: 'test_multiple_requests_with_illegal_traceparent',
    sent: [['traceparent', `00-${'0'.repeat(32)}-${parentId}-01`]],
    expects: (ids) => expect(ids.has('0'.repeat(32))).toBe(false),
  },
];

async function holds({ sent, expects }: Case, service: TracedService): Promise<void> {
  for (const [index, headers] of sent.entries()) {
    const calls = await service.callsFor(headers, oneCall);
    expect(calls).toHaveLength(1);
    expects(readBack(calls[0] as OutgoingCall), index);
  }
}

describe('the harness of W3C', () => {
  test('has 41 cases', () => {
    expect(new Set([...cases, ...casesOfMany].map(({ name }) => name)).size).toBe(41);
  });

  test.each(cases)('$name', async (one) => {
    await holds(one, await tracedService());
  });

  test.each(casesOfMany)('$name', async ({ sent, expects }) => {
    const calls = (await (await tracedService()).callsFor(sent, threeCalls)).map(readBack);
    expect(new Set(calls.map((told) => told.parentId)).size).toBe(3);
    expects(new Set(calls.map((told) => told.traceId)));
  });

  test('would notice a service that hands on what it was given', async () => {
    const service = await tracedService(noTelemetry);
    const broken: string[] = [];
    for (const one of cases) await holds(one, service).catch(() => broken.push(one.name));
    expect(broken).toContain('test_both_traceparent_and_tracestate_missing');
    expect(broken).toContain('test_traceparent_included_tracestate_missing');
    expect(broken.length).toBeGreaterThan(20);
  });
});

describe('a request to a source', () => {
  test('is a span of its own in the trace of the decision, with the id that the source was told', async () => {
    const service = await tracedService();
    const calls = await service.callsFor([['traceparent', valid]], threeCalls);
    const spans = service.spans.filter(({ name }) => name === 'call');
    const root = service.spans.find(({ name }) => name === 'decide');
    expect(spans.map((span) => span.spanContext().spanId).sort()).toEqual(calls.map((call) => readBack(call).parentId).sort());
    expect(spans.map(({ parentSpanContext }) => parentSpanContext?.spanId)).toEqual(spans.map(() => root?.spanContext().spanId));
    expect(spans.map(({ attributes }) => attributes['stepwell.called']).sort()).toEqual(['audience', 'model', 'profile']);
    expect(new Set(spans.map(({ attributes }) => attributes['stepwell.fault']))).toEqual(new Set(['none']));
  });

  test('takes the caller’s state to the source, and to no span', async () => {
    const service = await tracedService();
    const [call] = await service.callsFor([
      ['traceparent', valid],
      ['tracestate', 'vendor=what-only-it-knows'],
    ]);
    expect(readBack(call as OutgoingCall).state.get('vendor')).toBe('what-only-it-knows');
    expect(service.spans.map((span) => span.spanContext().traceState)).toEqual(service.spans.map(() => undefined));
    expect(service.spans.length).toBeGreaterThan(1);
  });

  test('hands on the caller’s place where this service traces nothing, and invents none', async () => {
    const untraced = await startTelemetry({ clock: systemClock, env: {} });
    const service = await tracedService(untraced);
    const [call] = await service.callsFor(states('foo=1'));
    expect(readBack(call as OutgoingCall)).toMatchObject({ traceId, parentId, flags: 0, state: new Map([['foo', '1']]) });
    const [alone] = await service.callsFor([]);
    expect(alone?.headers.filter(([name]) => name.startsWith('trace'))).toEqual([]);
  });

  test.each([
    ['and nothing else', {}],
    ['and disabled the SDK, which leaves propagators alone', { OTEL_SDK_DISABLED: 'true' }],
  ])('says nothing of traces where the operator chose other propagators %s', async (_, env) => {
    const telemetry = await openTelemetry({ clock: systemClock, env: { ...env, OTEL_PROPAGATORS: 'none' } });
    const service = await tracedService(telemetry);
    const [call] = await service.callsFor([['traceparent', valid]]);
    expect(call?.headers.filter(([name]) => name.startsWith('trace'))).toEqual([]);
  });
});

describe('a trace context', () => {
  const read = (carrier: TraceCarrier) => traceContext.read(carrier);

  test.each([
    ['of upper-case digits', { traceparent: valid.replace('00-', '0A-') }],
    ['of a later version, sent twice', { traceparent: `cc-${traceId}-${parentId}-01-a, cc-${traceId}-${parentId}-01-a` }],
    ['with a space inside', { traceparent: `00-${traceId} -${parentId}-01` }],
    ['that is empty', { traceparent: '' }],
  ])('%s is none', (_, carrier) => {
    expect(read(carrier)).toBeNull();
  });

  test('of flags that nobody knows yet keeps those that are known', () => {
    expect(read({ traceparent: `00-${traceId}-${parentId}-ff` })).toMatchObject({ flags: 3 });
  });

  test('with a value of 257 characters has no state', () => {
    expect(read({ traceparent: valid, tracestate: `a=${'v'.repeat(256)}` })?.tracestate).not.toBeNull();
    expect(read({ traceparent: valid, tracestate: `a=${'v'.repeat(257)}` })?.tracestate).toBeNull();
  });

  test.each([
    ['', true],
    ['tracecontext,baggage', true],
    ['b3, tracecontext', true],
    ['b3', false],
    ['none', false],
  ])('with OTEL_PROPAGATORS=%j is read: %j', (OTEL_PROPAGATORS, isRead) => {
    expect(propagationOf({ OTEL_PROPAGATORS }).read({ traceparent: valid }) !== null).toBe(isRead);
  });
});
