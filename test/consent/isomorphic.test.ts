/** The decoders run in a browser client as they do in the service: what they load, all the way down, touches nothing of Node. */
import { readdirSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { describe, expect, it } from 'vitest';

const imported = /\b(?:from|import)\s*\(?\s*'([^']+)'/g;
const importedTypes = /\bimport type [^;]*;/g;
/** What Node has and a browser has not, or has otherwise. */
const ofNodeAlone = /\b(Buffer|process|global|require|__dirname|__filename|setImmediate)\b/;
const comments = /\/\*[\s\S]*?\*\/|\/\/.*$/gm;

/** What in a file a browser could not load, and which files it loads in turn. Types are gone by then. */
function loadedBy(text: string): { readonly strangers: readonly string[]; readonly files: readonly string[] } {
  const code = text.replace(comments, '').replace(importedTypes, '');
  const targets = [...code.matchAll(imported)].map(([, target = '']) => target);
  const [global] = ofNodeAlone.exec(code) ?? [];
  const strangers = targets.filter((target) => !target.startsWith('.'));
  return {
    strangers: global === undefined ? strangers : [...strangers, global],
    files: targets.filter((target) => target.startsWith('.')),
  };
}

function reachableFrom(paths: readonly string[]): readonly string[] {
  const seen = new Set(paths);
  for (const path of seen) for (const file of loadedBy(readFileSync(path, 'utf8')).files) seen.add(posix.join(posix.dirname(path), file));
  return [...seen];
}

const decoders = readdirSync('src/consent').map((file) => `src/consent/${file}`);

describe('the decoders', () => {
  it.each(reachableFrom(decoders))('can be loaded by a browser: %s', (path) => {
    expect(loadedBy(readFileSync(path, 'utf8')).strangers).toEqual([]);
  });

  it('load nothing but themselves, the decision core and the lengths of time', () => {
    for (const path of reachableFrom(decoders)) expect(path).toMatch(/^src\/(consent|decision)\/|^src\/time\/units\.ts$/);
  });

  it.each([
    ["import { readFileSync } from 'node:fs';", 'node:fs'],
    ["import { z } from 'zod';", 'zod'],
    ["const { hash } = await import('node:crypto');", 'node:crypto'],
    ["const text = Buffer.from(given, 'base64url');", 'Buffer'],
  ])('could not with %s', (line, stranger) => {
    expect(loadedBy(line).strangers).toEqual([stranger]);
  });
});
