/** One answer everywhere, a browser among it. */
import { expect, onTestFinished, test } from 'vitest';
import { openBrowser } from '../support/browser.ts';
import { bundleCore } from './bundle.ts';
import { answersOf, digestOf, everySheet } from './sheets.ts';

test('the core says in a browser what it says here', async () => {
  const browser = await openBrowser();
  onTestFinished(() => browser.close());
  const page = await browser.newPage();
  await page.addScriptTag({ content: await bundleCore() });
  const sheets = everySheet();
  const said = await answersOf(sheets, (text) =>
    page.evaluate((sheet) => (globalThis as unknown as { stepwell: { answer(text: string): string } }).stepwell.answer(sheet), text),
  );
  console.log(`Chromium ${browser.version()}: digest ${digestOf(said)} over ${sheets.length} sheets`);
  expect(said).toEqual(sheets.map((sheet) => sheet.said));
});
