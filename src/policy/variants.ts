/** The section `variants`: what renders, with the class its content declares. */
import type { Sensitivity } from '../decision/artefact.ts';
import type { Json } from '../decision/value.ts';
import type { Node } from './document.ts';
import { readNamed } from './names.ts';
import type { Report } from './problems.ts';
import { readFields, readJson, required } from './read.ts';
import { harmless, readLabel } from './sensitivity.ts';

const variantsMax = 100_000;

export interface DeclaredVariant {
  readonly content: Json;
  /** Nothing of what was written shows: some renderers show a gap for it. */
  readonly isNothing: boolean;
  readonly at: number;
  readonly sensitivity: Sensitivity;
}

export type Variants = ReadonlyMap<string, DeclaredVariant>;

export function readVariants(report: Report, node: Node | undefined): Variants {
  const variants = new Map<string, DeclaredVariant>();
  for (const { id, at, node: declared } of readNamed(report, node, '`variants`', 'a variant', variantsMax)) {
    const what = `variant \`${id}\``;
    const fields = readFields(report, declared, what, ['content', 'class', 'category']);
    const content = fields && required(report, fields, 'content', what, '`content: { … }`');
    const json = content === undefined ? null : readJson(content);
    variants.set(id, {
      content: json,
      isNothing: content !== undefined && showsNothing(json),
      at,
      sensitivity: fields === undefined ? harmless : readLabel(report, fields, what, harmless),
    });
  }
  return variants;
}

function showsNothing(content: Json): boolean {
  if (typeof content === 'string') return !seen.test(content);
  if (typeof content !== 'object' || content === null) return content === null;
  return Object.values(content).every(showsNothing);
}

/**
 * Letters, numbers, marks of writing and symbols, without those that are drawn as nothing: Hangul fillers and the like, the blank of Braille,
 * a note without a head, two blanks of hieroglyphs.
 */
const seen = /(?![\p{Default_Ignorable_Code_Point}\u2800\u{1d159}\u{13441}\u{13442}])[\p{L}\p{N}\p{P}\p{S}]/u;
