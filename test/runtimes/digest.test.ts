/** One answer everywhere: what is decided of 20,000 cases, and what is heard in every consent string, is the same on every engine. */
import { beforeAll, describe, expect, test } from 'vitest';
import { bundleCore, type Fault } from './bundle.ts';
import type { Answered } from './core.ts';
import { type EngineName, engineNames, engines } from './engines.ts';
import { answersOf, digestOf, everySheet, type TestedSheet } from './sheets.ts';

let sheets: readonly TestedSheet[] = [];
let core = '';

beforeAll(async () => {
  sheets = everySheet();
  core = await bundleCore();
});

async function saidBy(name: EngineName, script: string, asked: readonly TestedSheet[]): Promise<readonly Answered[]> {
  const engine = await engines[name](script);
  try {
    const answers = await answersOf(asked, engine.answer);
    console.log(`${name} ${engine.version}: digest ${digestOf(answers)} over ${asked.length} sheets`);
    return answers;
  } finally {
    await engine.close();
  }
}

describe('the core', () => {
  test.each([
    ['decisions', 20_000],
    ['device', 5_000],
    ['consent', 300],
  ])('is asked for %s often enough', (kind, atLeast) => {
    const asked = sheets.filter((sheet) => sheet.kind === kind).reduce((sum, { said }) => sum + said.count, 0);
    expect(asked).toBeGreaterThanOrEqual(atLeast);
  });

  test.each(engineNames)('says on %s what it says here', async (name) => {
    expect(await saidBy(name, core, sheets)).toEqual(sheets.map(({ said }) => said));
  });
});

const rounding: Fault = {
  file: 'src/decision/arbitration.ts',
  of: 'export function timesPerMille(',
  instead: 'export function timesPerMille(amount, perMille) { return Math.pow(amount, perMille / 997); }\nfunction exact(',
};
const ordering: Fault = {
  file: 'src/decision/evaluate.ts',
  of: 'export function compareStrings(',
  instead: 'export function compareStrings(a, b) { return a.localeCompare(b); }\nfunction exact(',
};
const otherTie: Fault = { file: 'src/decision/hash.ts', of: '0x811c9dc5', instead: '0x811c9dc4' };

describe('the comparison would see', () => {
  /** The written policy's, which are the last of their kind. */
  const few = () => sheets.filter(({ kind }) => kind === 'decisions').slice(-10);

  test.each([
    ['raises to a power that is no integer', rounding],
    ['orders texts as people do', ordering],
  ])('a core that %s: V8 and QuickJS disagree', async (_, fault) => {
    const faulty = await bundleCore([fault]);
    expect(digestOf(await saidBy('QuickJS', faulty, few()))).not.toBe(digestOf(await saidBy('this Node', faulty, few())));
  });

  test('a core that breaks ties in another way', async () => {
    const said = await saidBy('this Node', await bundleCore([otherTie]), few());
    expect(said).not.toEqual(few().map((sheet) => sheet.said));
  });
});
