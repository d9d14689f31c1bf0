/**
 * The query of `GET /v1/decide`. It has exactly one spelling for each question, because a cache that holds two keys for one
 * answer fills twice as fast and purges half: the order, the sorting and the absence of repeats are all checked.
 */
import type { Artefact, AttributeDeclaration } from '../decision/artefact.ts';
import type { Question } from '../decision/question.ts';
import { invalidRequest, type ProblemPlace, shownName } from './problem.ts';
import { contextOf, pageOf, zonesOf } from './question.ts';
import { zonesMax } from './schemas.ts';

interface Parameter {
  readonly name: string;
  readonly text: string;
}

export function sharedQuestionOf(rawQuery: string, artefact: Artefact, nowMs: number): Question {
  const parameters = parametersOf(rawQuery);
  checkOrder(parameters);
  const valueOf = (name: string) => parameters.find((parameter) => parameter.name === name)?.text;
  const zoneNames = valueOf('zones') === undefined ? undefined : listOf('zones', valueOf('zones') ?? '');
  if (zoneNames !== undefined && zoneNames.length > zonesMax) throw invalidRequest([{ pointer: 'zones', detail: `must name at most ${zonesMax} zones` }]);
  const page = pageOf(valueOf('page'), artefact);
  const zones = zonesOf(zoneNames === undefined ? undefined : [...zoneNames], page, artefact, 'zones').map(({ zone }) => zone);
  const context = Object.fromEntries(
    parameters.filter(({ name }) => name !== 'page' && name !== 'zones').map(({ name, text }) => [name, contextValue(name, text, artefact)]),
  );
  const { request, audiences } = contextOf(context, artefact, '');
  return { nowMs, audience: 'shared', page, zones, shownOffers: [], request, audiences, explain: false };
}

function parametersOf(rawQuery: string): readonly Parameter[] {
  if (rawQuery === '') return [];
  return rawQuery.split('&').map((pair) => {
    const cut = pair.indexOf('=');
    const name = decoded(cut < 0 ? pair : pair.slice(0, cut));
    const text = cut < 0 ? '' : decoded(pair.slice(cut + 1));
    if (text === '') throw problemAt(name, 'must not be empty: leave it out');
    return { name, text };
  });
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalidRequest([{ pointer: '', detail: 'the query is not valid percent-encoding of UTF-8' }]);
  }
}

const leading: readonly string[] = ['page', 'zones'];

function checkOrder(parameters: readonly Parameter[]): void {
  for (const [index, { name }] of parameters.entries()) {
    const before = parameters[index - 1]?.name;
    if (parameters.findIndex((other) => other.name === name) < index) throw problemAt(name, 'must not be repeated: write lists with commas');
    if (before !== undefined && rank(before) > rank(name)) throw problemAt(name, 'is out of order: `page`, `zones`, then the others in alphabetical order');
  }
}

/** `page` and `zones` first; the rest by UTF-16 unit, which is what a plain sort gives. */
function rank(name: string): string {
  return leading.includes(name) ? `0${leading.indexOf(name)}` : `1${name}`;
}

function contextValue(name: string, text: string, artefact: Artefact): unknown {
  if (name === 'audiences') return listOf(name, text);
  const declared: AttributeDeclaration | undefined = Object.hasOwn(artefact.attributes.request, name) ? artefact.attributes.request[name] : undefined;
  switch (declared?.type) {
    case 'int':
      return /^(?:0|-?[1-9]\d{0,15})$/.test(text) ? Number(text) : text;
    case 'bool':
      return text === 'true' ? true : text === 'false' ? false : text;
    case 'strings':
      return listOf(name, text);
    default:
      return text;
  }
}

function listOf(name: string, text: string): readonly string[] {
  const items = text.split(',');
  if (items.some((item) => item === '')) throw problemAt(name, 'must not hold an empty item');
  if (items.some((item, index) => index > 0 && (items[index - 1] as string) >= item)) throw problemAt(name, 'must be sorted and without repeats');
  return items;
}

function problemAt(name: string, detail: string) {
  const place: ProblemPlace = { pointer: shownName(name), detail };
  return invalidRequest([place]);
}
