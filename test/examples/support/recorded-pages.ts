/** Pages in a real browser that keep a record of themselves: what moved, and what changed after it was painted. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BrowserContext, Page } from 'playwright-core';

export const desktop = { width: 1280, height: 800 } as const;
export const phone = { width: 390, height: 844 } as const;

export interface ShownZone {
  readonly zone: string;
  readonly variant: string | null;
  readonly tier: string | null;
  readonly text: string;
  readonly heightPx: number;
  /** Whether some of it stands in the first screenful. */
  readonly isInView: boolean;
}

export interface PageRecord {
  /** The sum of all layout shifts: at least what web vitals would report, and 0 only where nothing moved. */
  readonly shift: number;
  readonly shifts: number;
  readonly changes: readonly {
    readonly zone: string;
    readonly from: string;
    readonly to: string | null;
    /** Whether what it showed before may have been seen. */
    readonly wasPainted: boolean;
    readonly isInView: boolean;
  }[];
  /** In how many frames a zone in view was drawn without a word in it. */
  readonly blankFrames: Readonly<Record<string, number>>;
}

/** Must be called before a page is opened. */
export async function recordPages(context: BrowserContext): Promise<void> {
  await context.addInitScript({ path: fileURLToPath(new URL('./page-record.js', import.meta.url)) });
}

const framesToDraw = 2;
/** A second, where the machine keeps up. */
export const framesToWatch = 60;

export async function recordOf(page: Page, frames = framesToDraw): Promise<PageRecord> {
  await page.evaluate(`pageRecord.drawn(${frames})`);
  return page.evaluate('pageRecord.read()');
}

export function shownZones(page: Page): Promise<readonly ShownZone[]> {
  return page.evaluate('pageRecord.zones()');
}

/** For people to look at, where they say which folder they want them in: nothing compares them. */
export async function screenshot(page: Page, name: string): Promise<void> {
  const folder = process.env.STEPWELL_SCREENSHOTS;
  if (folder === undefined) return;
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`) });
}
