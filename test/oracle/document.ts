/**
 * The authored policy document of the contract, in its JSON form, where every condition carries both its CEL text (for the
 * compiler) and a small tree (for the oracle). Nothing here knows how a policy is compiled.
 */
import type { Json } from '../../src/decision/value.ts';
import type { Class, Kind, LateMode, Tier } from '../../src/decision/vocabulary.ts';

export type AttributeSourceName = 'request' | 'session' | 'profile';

/** What a rung may have to wait for. */
export type FactSource = 'profile' | 'session' | 'audience' | 'model';

export type Condition =
  | { readonly is: 'string'; readonly value: string }
  | { readonly is: 'int'; readonly value: number }
  | { readonly is: 'bool'; readonly value: boolean }
  | { readonly is: 'strings'; readonly value: readonly string[] }
  | { readonly is: 'ints'; readonly value: readonly number[] }
  /** Milliseconds since the epoch, a whole number of seconds. */
  | { readonly is: 'timestamp'; readonly ms: number }
  | { readonly is: 'duration'; readonly seconds: number }
  | { readonly is: 'attribute' | 'has'; readonly source: AttributeSourceName; readonly name: string }
  | { readonly is: 'audiences' }
  | { readonly is: 'now' }
  | { readonly is: 'variable'; readonly name: string }
  | { readonly is: 'not' | 'negate' | 'size'; readonly of: Condition }
  | { readonly is: '?:'; readonly condition: Condition; readonly yes: Condition; readonly no: Condition }
  | { readonly is: Binary; readonly left: Condition; readonly right: Condition }
  | { readonly is: 'exists' | 'all'; readonly list: Condition; readonly variable: string; readonly condition: Condition };

const comparisons = ['==', '!=', '<', '<=', '>', '>='] as const;
const arithmetic = ['+', '-', '*', '/', '%'] as const;
const methods = ['startsWith', 'endsWith', 'contains'] as const;
export type Binary = '&&' | '||' | (typeof comparisons)[number] | (typeof arithmetic)[number] | 'in' | (typeof methods)[number];

export interface When {
  readonly cel: string;
  readonly ast: Condition;
}

export function when(ast: Condition): When {
  return { cel: toCel(ast), ast };
}

/** What an author may say about sensitivity, on anything that can carry a class. */
export interface Label {
  readonly class?: Class;
  readonly category?: string;
}

export interface AttributeDocument extends Label {
  readonly type: 'string' | 'int' | 'bool' | 'timestamp' | 'strings';
  readonly values?: readonly string[];
}

export interface AudienceDocument extends Label {
  readonly edge?: boolean;
}

export interface RuleDocument extends Label {
  readonly when?: When;
  readonly variant: string;
}

export interface ApprovalDocument {
  readonly by: string;
  readonly on: string;
  readonly until: string;
}

export interface RungDocument {
  readonly tier: Tier;
  readonly choose?: readonly RuleDocument[];
  readonly arbitrate?: { readonly tag: string };
  readonly variant?: string;
  readonly approved?: ApprovalDocument;
}

export interface ZoneDocument extends Label {
  readonly kind: Kind;
  readonly criticality?: number;
  readonly budgetMs?: number;
  readonly late?: LateMode;
  readonly cache?: { readonly maxAgeSeconds: number };
  readonly ladder: readonly RungDocument[];
}

export interface OfferDocument extends Label {
  readonly tags: readonly string[];
  readonly variant: string;
  readonly when?: When;
  /** The model says how likely it is; what is written stands for an offer that it does not name. */
  readonly propensity?: 'model';
  readonly propensityPpm?: number;
  readonly value: number;
  readonly context?: readonly { readonly when: When; readonly perMille: number }[];
  readonly levers?: Readonly<Record<string, number>>;
  readonly group?: string;
  readonly from?: string;
  readonly until?: string;
}

export interface DependencyDocument {
  readonly budgetMs?: number;
  readonly retries?: number;
  readonly onFailure?: Tier;
  readonly late?: LateMode;
}

/** A dependency that may be an HTTP service. What such a service is asked and how its answer is read is not the oracle's business. */
export interface SourceDocument extends DependencyDocument {
  readonly source?: 'store' | 'http';
  readonly url?: string;
  readonly method?: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string | { readonly env: string }>>;
  readonly send?: readonly string[];
  readonly map?: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly maxBytes?: number;
  readonly connections?: number;
}

/** What every offer that it scores is at least. */
export interface ModelDocument extends SourceDocument, Label {}

export interface DependencyDocuments {
  readonly identity?: SourceDocument;
  readonly consent?: DependencyDocument;
  readonly profile?: SourceDocument;
  readonly session?: DependencyDocument;
  readonly audience?: SourceDocument;
  readonly model?: ModelDocument;
}

export interface PolicyDocument {
  readonly stepwell: 1;
  readonly policy: string;
  readonly owner?: string;
  readonly attributes: Readonly<Record<AttributeSourceName, Readonly<Record<string, AttributeDocument>>>>;
  readonly audiences?: Readonly<Record<string, AudienceDocument>>;
  readonly contextualWithoutSignal?: boolean;
  readonly consent?: { readonly path?: 'vendor' | 'publisher'; readonly vendorId?: number; readonly maxAgeDays?: number };
  readonly deadline?: { readonly defaultMs: number; readonly minMs: number; readonly maxMs: number };
  readonly dependencies?: DependencyDocuments;
  readonly sensitive?: { readonly S3: { readonly enabled: boolean; readonly categories: readonly string[] } };
  readonly pages: Readonly<Record<string, { readonly deadlineMs?: number; readonly zones: readonly string[] }>>;
  readonly zones: Readonly<Record<string, ZoneDocument>>;
  readonly variants: Readonly<Record<string, Label & { readonly content: Json }>>;
  readonly offers: Readonly<Record<string, OfferDocument>>;
}

/** The JSON text that an author would have written: each condition as its CEL. */
export function toPolicyText(document: PolicyDocument): string {
  return JSON.stringify(
    document,
    (key, value) => (key === 'when' && value !== null && typeof value === 'object' && 'cel' in value ? value.cel : value),
    2,
  );
}

/** CEL with every operation in parentheses, so that no precedence is relied upon. */
function toCel(ast: Condition): string {
  switch (ast.is) {
    case 'string':
      return JSON.stringify(ast.value);
    case 'int':
      return ast.value < 0 ? `(${ast.value})` : `${ast.value}`;
    case 'bool':
      return `${ast.value}`;
    case 'strings':
      return `[${ast.value.map((item) => JSON.stringify(item)).join(', ')}]`;
    case 'ints':
      return `[${ast.value.join(', ')}]`;
    case 'timestamp':
      return `timestamp("${new Date(ast.ms).toISOString().replace('.000Z', 'Z')}")`;
    case 'duration':
      return `duration("${ast.seconds}s")`;
    case 'attribute':
      return `${ast.source}.${ast.name}`;
    case 'has':
      return `has(${ast.source}.${ast.name})`;
    case 'audiences':
      return 'audiences';
    case 'now':
      return 'now';
    case 'variable':
      return ast.name;
    case 'not':
      return `!(${toCel(ast.of)})`;
    case 'negate':
      return `(-(${toCel(ast.of)}))`;
    case 'size':
      return `size(${toCel(ast.of)})`;
    case '?:':
      return `(${toCel(ast.condition)} ? ${toCel(ast.yes)} : ${toCel(ast.no)})`;
    case 'startsWith':
    case 'endsWith':
    case 'contains':
      return `${toCel(ast.left)}.${ast.is}(${toCel(ast.right)})`;
    case 'exists':
    case 'all':
      return `${toCel(ast.list)}.${ast.is}(${ast.variable}, ${toCel(ast.condition)})`;
    default:
      return `(${toCel(ast.left)} ${ast.is} ${toCel(ast.right)})`;
  }
}

/** The tree and everything under it. */
export function* everyPart(ast: Condition): Generator<Condition> {
  yield ast;
  for (const child of childrenOf(ast)) yield* everyPart(child);
}

function childrenOf(ast: Condition): readonly Condition[] {
  switch (ast.is) {
    case 'string':
    case 'int':
    case 'bool':
    case 'strings':
    case 'ints':
    case 'timestamp':
    case 'duration':
    case 'attribute':
    case 'has':
    case 'audiences':
    case 'now':
    case 'variable':
      return [];
    case 'not':
    case 'negate':
    case 'size':
      return [ast.of];
    case '?:':
      return [ast.condition, ast.yes, ast.no];
    case 'exists':
    case 'all':
      return [ast.list, ast.condition];
    default:
      return [ast.left, ast.right];
  }
}

/** What a condition reads. A membership test of a literal name reads that audience; any other use reads the whole list. */
export interface Reading {
  readonly attributes: readonly { readonly source: AttributeSourceName; readonly name: string }[];
  readonly audiences: readonly string[] | 'whole list';
}

export function readingOf(ast: Condition): Reading {
  const attributes: { source: AttributeSourceName; name: string }[] = [];
  const named: string[] = [];
  let wholeList = false;
  const visit = (part: Condition): void => {
    if (part.is === 'in' && part.left.is === 'string' && part.right.is === 'audiences') {
      named.push(part.left.value);
      return;
    }
    if (part.is === 'audiences') wholeList = true;
    if (part.is === 'attribute' || part.is === 'has') attributes.push({ source: part.source, name: part.name });
    for (const child of childrenOf(part)) visit(child);
  };
  visit(ast);
  return { attributes, audiences: wholeList ? 'whole list' : named };
}
