/** What is committed is what the tables and schemas say. */
import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { openApiDocument } from '../../src/contract/openapi.ts';
import { openApiYaml } from '../../src/contract/openapi-yaml.ts';
import { problemCodes } from '../../src/contract/problem.ts';
import { errorsPage, reasonsPage } from '../../src/contract/reference-pages.ts';
import { toYaml } from '../../src/contract/yaml-text.ts';
import { reasons } from '../../src/decision/reasons.ts';
import { createVisitorTokenSet } from '../../src/identity/visitor-token.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { readDocumentAsJson } from './read-yaml.ts';

describe('the committed documents', () => {
  it.each([
    ['openapi/openapi.yaml', openApiYaml, 'npm run generate'],
    ['docs/errors.md', errorsPage, 'npm run generate'],
    ['docs/reasons.md', reasonsPage, 'npm run generate'],
  ])('%s has not drifted', (path, made, command) => {
    expect(readFileSync(path, 'utf8') === made(), `${path} has drifted: run \`${command}\` and commit`).toBe(true);
  });

  it('is the document itself, read back from its YAML', () => {
    expect(readDocumentAsJson(openApiYaml())).toEqual(JSON.parse(JSON.stringify(openApiDocument(null))));
  });

  it('writes text so that YAML reads it as text', () => {
    const odd = {
      on: 'no',
      '200': '12',
      a: ['', ' x', '- y', 'a: b', '# c', 'null', 'é', '\n', { b: [] }, {}, [1, [2]], null, true],
      'x y': -1,
    };
    expect(readDocumentAsJson(toYaml(odd))).toEqual(odd);
  });
});

describe('the OpenAPI document', () => {
  const document = JSON.parse(JSON.stringify(openApiDocument(null)));

  it('refers only to what it holds', () => {
    const references = JSON.stringify(document).match(/"#\/[^"]+"/g) ?? [];
    for (const reference of references) {
      const path = JSON.parse(reference).slice(2).split('/');
      expect(
        path.reduce((at: Record<string, unknown> | undefined, step: string) => at?.[step] as never, document),
        reference,
      ).toBeDefined();
    }
  });

  it.each([
    ['/ofrep/v1/stream', 'stream', true],
    ['/v1/artefact', 'artefact', false],
  ] as const)('takes the tokens that are minted for %s, and says whether one is needed', (path, kind, required) => {
    const tokens = createVisitorTokenSet({ secret: Buffer.alloc(32, 1), clock: new VirtualClock() })[kind];
    const parameter = document.paths[path].get.parameters.find(({ name }: { name: string }) => name === 't');
    expect(parameter.required).toBe(required);
    const isValid = new Ajv2020().compile(parameter.schema);
    for (const subject of [null, 'ann'])
      for (const sessionId of [null, 'visit']) {
        const { token } = tokens.mint({ subject, sessionId });
        expect([isValid(token), isValid(token.slice(0, -1)), isValid(`${token}x`)]).toEqual([true, false, false]);
      }
  });

  it('names every reason and every problem', () => {
    expect(JSON.stringify(document.components.schemas.ZoneDecision)).toContain(JSON.stringify(reasons));
    expect(Object.keys(document.components.responses)).toEqual(problemCodes);
  });

  it('has examples that its own schema takes', () => {
    const ajv = new Ajv2020({ strict: false, schemas: [{ $id: 'doc', ...document }] });
    const post = document.paths['/v1/decide'].post.requestBody.content['application/json'];
    const isValid = ajv.compile({ $ref: 'doc#/components/schemas/DecideRequest' });
    for (const [name, { value }] of Object.entries<{ value: unknown }>(post.examples)) expect(isValid(value), name).toBe(true);
    expect(isValid({ page: 1 })).toBe(false);
  });
});
