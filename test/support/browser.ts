/** A real browser, which talks to nobody of its own accord. */
import { type Browser, chromium } from 'playwright-core';
import { findProgram, missingSentence, programs } from './programs.ts';

const args = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export async function openBrowser(): Promise<Browser> {
  const executablePath = findProgram(programs.chromium);
  if (executablePath === null) throw new Error(missingSentence(programs.chromium));
  return chromium.launch({ executablePath, args });
}
