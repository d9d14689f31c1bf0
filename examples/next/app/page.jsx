/**
 * The boxes of the page, decided before any of it is written: one question under one deadline, and approved words wherever the answer did
 * not come. It reads the request's headers, so Next never writes it beforehand and never keeps it. It is not rewritten to a page that was
 * written beforehand either, because Next then tells every cache on the way to keep one visitor's for all.
 */
import { headers } from 'next/headers';
import { askForZones } from '../../shop/ask.ts';
import { renderZone } from '../../shop/render.ts';
import { approved } from '../../shop/zones.ts';

const pageZones = ['service_banner', 'hero', 'offer_rail', 'promo_tile', 'category_tiles', 'recently_viewed', 'newsletter_box'];
const defaultBudgetMs = 50;

export default async function Page() {
  const visitor = Object.fromEntries(await headers());
  const { STEPWELL_URL: url = 'http://127.0.0.1:8080', STEPWELL_KEY: key, BUDGET_MS: budgetMs = defaultBudgetMs } = process.env;
  const zones = await askForZones({ url, key }, visitor, Number(budgetMs));
  return pageZones.map((zone) => <Box key={zone} zone={zone} shown={zones.get(zone) ?? approved(zone)} />);
}

/** `renderZone` escapes whatever a decision holds. */
function Box({ zone, shown }) {
  // biome-ignore lint/security/noDangerouslySetInnerHtml: one renderer for all examples.
  return <section className={`zone ${zone}`} data-zone={zone} dangerouslySetInnerHTML={{ __html: renderZone(zone, shown) }} />;
}
