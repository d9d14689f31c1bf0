/** Writes `docs/errors.md` and `docs/reasons.md`. */
import { writeFileSync } from 'node:fs';
import { errorsPage, reasonsPage } from './reference-pages.ts';

writeFileSync(new URL('../../docs/errors.md', import.meta.url), errorsPage());
writeFileSync(new URL('../../docs/reasons.md', import.meta.url), reasonsPage());
