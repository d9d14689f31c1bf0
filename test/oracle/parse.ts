/**
 * The conditions of an authored policy, read into the oracle's own tree: just the CEL that the contract names, by recursive
 * descent, with no thought of a good error. Policies that the compiler would refuse are not for this.
 */
import type { Binary, Condition, PolicyDocument } from './document.ts';

/** A policy's JSON text as a document that the oracle can read. */
export function documentFrom(text: string): PolicyDocument {
  return JSON.parse(text, (key, value) => (key === 'when' && typeof value === 'string' ? { cel: value, ast: parseCel(value) } : value));
}

const token = /\s*(\|\||&&|==|!=|<=|>=|[<>!+\-*/%?:.,()[\]]|\d+|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[A-Za-z_]\w*)/y;

/** Loosest first. */
const levels: readonly (readonly Binary[])[] = [['||'], ['&&'], ['==', '!=', '<=', '>=', '<', '>', 'in'], ['+', '-'], ['*', '/', '%']];

export function parseCel(text: string): Condition {
  const words: string[] = [];
  token.lastIndex = 0;
  const end = text.trimEnd().length;
  while (token.lastIndex < end) {
    const found = token.exec(text);
    if (found === null) throw new Error(`not the CEL that the oracle reads: ${text}`);
    words.push(found[1] as string);
  }
  let at = 0;
  const peek = () => words[at];
  const take = (): string => {
    const word = words[at];
    if (word === undefined) throw new Error(`ends too early: ${text}`);
    at += 1;
    return word;
  };
  const expect = (word: string): void => {
    const found = take();
    if (found !== word) throw new Error(`expected ${word}, found ${found}: ${text}`);
  };

  const ternary = (): Condition => {
    const condition = binary(0);
    if (peek() !== '?') return condition;
    take();
    const yes = ternary();
    expect(':');
    return { is: '?:', condition, yes, no: ternary() };
  };
  const binary = (level: number): Condition => {
    const operators = levels[level];
    if (operators === undefined) return unary();
    let left = binary(level + 1);
    while (operators.includes(peek() as Binary)) left = { is: take() as Binary, left, right: binary(level + 1) };
    return left;
  };
  const unary = (): Condition => {
    if (peek() === '!') {
      take();
      return { is: 'not', of: unary() };
    }
    if (peek() === '-') {
      take();
      const of = unary();
      return of.is === 'int' ? { is: 'int', value: -of.value } : { is: 'negate', of };
    }
    return member(primary());
  };
  const member = (subject: Condition): Condition => {
    let whole = subject;
    while (peek() === '.') {
      take();
      const method = take();
      expect('(');
      if (method === 'exists' || method === 'all') {
        const variable = take();
        expect(',');
        whole = { is: method, list: whole, variable, condition: ternary() };
      } else if (method === 'size') {
        whole = { is: 'size', of: whole };
      } else {
        whole = { is: method as Binary, left: whole, right: ternary() };
      }
      expect(')');
    }
    return whole;
  };
  const primary = (): Condition => {
    const word = take();
    if (word === '(') {
      const inner = ternary();
      expect(')');
      return inner;
    }
    if (word === '[') return list();
    if (/^\d/.test(word)) return { is: 'int', value: Number(word) };
    if (/^["']/.test(word)) return { is: 'string', value: unquoted(word) };
    if (word === 'true' || word === 'false') return { is: 'bool', value: word === 'true' };
    if (word === 'now' || word === 'audiences') return { is: word };
    if (word === 'request' || word === 'session' || word === 'profile') {
      expect('.');
      return { is: 'attribute', source: word, name: take() };
    }
    if (peek() !== '(') return { is: 'variable', name: word };
    take();
    const inner = ternary();
    expect(')');
    if (word === 'size') return { is: 'size', of: inner };
    if (word === 'has' && inner.is === 'attribute') return { ...inner, is: 'has' };
    if (word === 'timestamp' && inner.is === 'string') return { is: 'timestamp', ms: Date.parse(inner.value) };
    if (word === 'duration' && inner.is === 'string') return { is: 'duration', seconds: secondsOf(inner.value) };
    throw new Error(`the oracle does not know ${word}(): ${text}`);
  };
  const list = (): Condition => {
    const items: Condition[] = [];
    while (peek() !== ']') {
      items.push(ternary());
      if (peek() === ',') take();
    }
    take();
    if (items.every((item) => item.is === 'int')) return { is: 'ints', value: items.map((item) => item.value) };
    if (items.every((item) => item.is === 'string')) return { is: 'strings', value: items.map((item) => item.value) };
    throw new Error(`the oracle reads lists of integers or of texts: ${text}`);
  };

  const whole = ternary();
  if (at !== words.length) throw new Error(`goes on after its end: ${text}`);
  return whole;
}

function unquoted(word: string): string {
  return word.startsWith('"') ? JSON.parse(word) : JSON.parse(`"${word.slice(1, -1).replaceAll('"', '\\"')}"`);
}

function secondsOf(duration: string): number {
  const unit = { s: 1, m: 60, h: 3600 } as const;
  return Number(duration.slice(0, -1)) * unit[duration.slice(-1) as keyof typeof unit];
}
