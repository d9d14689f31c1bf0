/**
 * What is bundled for every engine: the decision core, its small sister for devices and the readers of consent signals, fed with text and answering with digests
 * of all they said. Nothing here belongs to a host.
 */
import { hearConsent } from '../../src/consent/signals.ts';
import { decide } from '../../src/decision/decide.ts';
import { needs } from '../../src/decision/needs.ts';
import { decideOnDevice } from '../../src/device/decide-on-device.ts';
import type { ConsentSheet, DecisionSheet, DeviceSheet, Sheet } from './cases.ts';
import { createDigest } from './digest.ts';

export interface Answered {
  readonly count: number;
  readonly digest: string;
}

/** `text` is a sheet as JSON; the answer is JSON as well, because that is what crosses into every engine and out of it. */
export function answer(text: string): string {
  return JSON.stringify(answerSheet(JSON.parse(text)));
}

export function answerSheet(sheet: Sheet): Answered {
  const { add, read } = createDigest();
  const count = addAll(sheet, add);
  return { count, digest: read() };
}

type Add = (text: string) => void;

function addAll(sheet: Sheet, add: Add): number {
  switch (sheet.kind) {
    case 'decisions':
      return decideAll(sheet, add);
    case 'device':
      return decideAllOnDevice(sheet, add);
    case 'consent':
      return hearAll(sheet, add);
  }
}

/** The reading list too: two engines that read different things would be told different things. */
function decideAll({ artefact, cases }: DecisionSheet, add: Add): number {
  for (const { question, evidence } of cases) {
    add(JSON.stringify(needs(artefact, question)));
    add(JSON.stringify(decide(artefact, question, evidence)));
  }
  return cases.length;
}

function decideAllOnDevice({ artefact, questions }: DeviceSheet, add: Add): number {
  for (const question of questions) add(JSON.stringify(decideOnDevice(artefact, question)));
  return questions.length;
}

function hearAll({ hearing, cases }: ConsentSheet, add: Add): number {
  for (const { wire, secGpc, country } of cases) add(JSON.stringify(hearConsent(wire, secGpc, { ...hearing, country })));
  return cases.length;
}
