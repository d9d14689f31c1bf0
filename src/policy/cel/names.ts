/** Names in a condition: attributes of the four sources, `audiences`, `now`, and the variables of list macros. */
import { type AttributeSource, attributeSources } from '../../decision/expression.ts';
import { excerpt } from '../excerpt.ts';
import { didYouMean, names } from '../suggest.ts';
import { complain, type Lowering, type Typed } from './lowering.ts';
import type { Syntax } from './parse.ts';
import { anyString, bool, timestamp, typeOfAttribute } from './types.ts';

export const reservedNames: readonly string[] = [...attributeSources, 'audiences', 'now'];

export function lowerName(syntax: Syntax & { op: 'id' }, context: Lowering): Typed | null {
  const name = syntax.args;
  const variable = context.variables.get(name);
  if (variable !== undefined) return variable;
  if (name === 'now') {
    context.uses.now = true;
    return { expression: { op: 'now' }, type: timestamp };
  }
  if (name === 'audiences') {
    context.uses.everyAudience = true;
    return { expression: { op: 'audiences' }, type: { kind: 'list', item: anyString } };
  }
  const homes = attributeSources.filter((source) => context.environment.attributes[source].has(name));
  if (isSource(name) && homes.length === 0) {
    return complain(context, syntax, 'expression-type', `\`${name}\` has no value of its own: write \`${name}.<attribute>\``);
  }
  if (homes.length > 0) {
    return complain(
      context,
      syntax,
      'unknown-attribute',
      `\`${name}\` lacks its source: write ${names(homes.map((home) => `${home}.${name}`))}`,
    );
  }
  const known = [...reservedNames, ...context.variables.keys()];
  return complain(context, syntax, 'unknown-attribute', `there is no name \`${excerpt(name)}\`${didYouMean(name, known)}`);
}

/** `profile.x` and `profile["x"]`. */
export function lowerAccess(syntax: Syntax, context: Lowering): Typed | null {
  const access = accessOf(syntax, context);
  if (access === null) return null;
  const { source, name } = access;
  const declaration = context.environment.attributes[source].get(name);
  // An attribute of no readable type was reported where it is declared.
  return declaration === undefined || context.environment.untyped.has(declaration)
    ? null
    : { expression: { op: 'attribute', source, name }, type: typeOfAttribute(declaration) };
}

/** `has(profile.x)`. */
export function lowerHas(syntax: Syntax & { op: 'call' }, context: Lowering): Typed | null {
  const [argument, ...more] = syntax.args[1];
  if (argument === undefined || more.length > 0 || (argument.op !== '.' && argument.op !== '[]')) {
    return complain(context, syntax, 'expression-type', 'has() asks for one attribute: write `has(profile.<attribute>)`');
  }
  const access = accessOf(argument, context);
  return access && { expression: { op: 'has', ...access }, type: bool };
}

function accessOf(syntax: Syntax, context: Lowering): { source: AttributeSource; name: string } | null {
  if (syntax.op !== '.' && syntax.op !== '[]') return null;
  const [owner, member] = syntax.args;
  const source = owner.op === 'id' && !context.variables.has(owner.args) ? owner.args : null;
  if (source === null || !isSource(source)) return refuseAccess(syntax, owner, context);
  const name = typeof member === 'string' ? member : literalText(member);
  if (name === null)
    return complain(context, syntax, 'expression-type', `an attribute is named, not computed: write \`${source}.<attribute>\``);
  const at = typeof member === 'string' ? syntax.pos : member.start;
  const declared = context.environment.attributes[source];
  if (!declared.has(name)) {
    return complain(
      context,
      at,
      'unknown-attribute',
      `no attribute \`${excerpt(name)}\` is declared under \`attributes.${source}\`${suggestion(source, name, context)}`,
    );
  }
  context.uses.attributes[source].add(name);
  return { source, name };
}

function suggestion(source: AttributeSource, name: string, context: Lowering): string {
  const elsewhere = attributeSources.filter((other) => other !== source && context.environment.attributes[other].has(name));
  if (elsewhere.length > 0) return `; did you mean \`${elsewhere[0]}.${name}\`?`;
  return didYouMean(name, context.environment.attributes[source].keys());
}

function refuseAccess(syntax: Syntax & { op: '.' | '[]' }, owner: Syntax, context: Lowering): null {
  if (owner.op === 'id' && !context.variables.has(owner.args) && !reservedNames.includes(owner.args)) {
    return complain(
      context,
      owner,
      'unknown-attribute',
      `there is no source \`${excerpt(owner.args)}\`${didYouMean(owner.args, attributeSources)}`,
    );
  }
  if (syntax.op === '[]') {
    return complain(context, syntax, 'expression-unsupported', 'lists are not indexed here: write `in`, `exists` or `all`');
  }
  return complain(
    context,
    syntax.pos,
    'expression-type',
    `this has no field \`${excerpt(syntax.args[1])}\`: only request, session, profile and device have attributes`,
  );
}

function isSource(name: string): name is AttributeSource {
  return (attributeSources as readonly string[]).includes(name);
}

export function literalText(syntax: Syntax): string | null {
  return syntax.op === 'value' && typeof syntax.args === 'string' ? syntax.args : null;
}
