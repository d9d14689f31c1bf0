/** The types of the condition language: five kinds of scalar and lists of them. */
import type { AttributeDeclaration } from '../../decision/artefact.ts';

export type Type =
  /** `values` are the only texts it can hold; null when any. */
  | { readonly kind: 'string'; readonly values: readonly string[] | null }
  | { readonly kind: 'int' | 'bool' | 'timestamp' | 'duration' }
  /** The items of an empty list have no type of their own. */
  | { readonly kind: 'list'; readonly item: Type | null };

export const anyString: Type = { kind: 'string', values: null };
export const int: Type = { kind: 'int' };
export const bool: Type = { kind: 'bool' };
export const timestamp: Type = { kind: 'timestamp' };
export const duration: Type = { kind: 'duration' };

export function typeOfAttribute(declaration: AttributeDeclaration): Type {
  switch (declaration.type) {
    case 'string':
      return { kind: 'string', values: declaration.values };
    case 'strings':
      return { kind: 'list', item: { kind: 'string', values: declaration.values } };
    default:
      return { kind: declaration.type };
  }
}

/** Whether values of the two may be compared: `values` narrow a type and make no other. */
export function sameType(a: Type, b: Type): boolean {
  if (a.kind === 'list' && b.kind === 'list') return a.item === null || b.item === null || sameType(a.item, b.item);
  return a.kind === b.kind;
}

/** The type of either branch: it keeps no `values`, since either branch may have been taken. */
export function eitherType(a: Type, b: Type): Type {
  if (a.kind === 'string') return anyString;
  if (a.kind !== 'list' || b.kind !== 'list') return a;
  if (a.item === null || b.item === null) return a.item === null ? b : a;
  return { kind: 'list', item: eitherType(a.item, b.item) };
}

export function describe(type: Type): string {
  switch (type.kind) {
    case 'string':
      return 'text';
    case 'int':
      return 'a whole number';
    case 'bool':
      return 'true or false';
    case 'timestamp':
      return 'a time';
    case 'duration':
      return 'a duration';
    case 'list':
      return type.item === null ? 'an empty list' : `a list of ${plural(type.item)}`;
  }
}

function plural(type: Type): string {
  switch (type.kind) {
    case 'string':
      return 'texts';
    case 'int':
      return 'whole numbers';
    case 'bool':
      return 'truths';
    case 'timestamp':
      return 'times';
    case 'duration':
      return 'durations';
    case 'list':
      return 'lists';
  }
}
