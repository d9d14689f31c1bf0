/** What is asked of every mutant of the readers of consent signals: all that needs no browser, no service and no other library. */
import './few-cases.ts';
import '../consent/us-vectors.test.ts';
import '../consent/us-privacy.test.ts';
import '../consent/consent-mode.test.ts';
import '../consent/tcf-edges.test.ts';
import '../consent/tcf.test.ts';
import '../consent/gpp.test.ts';
import '../consent/signals.test.ts';
import '../consent/merge.test.ts';
import '../consent/special-categories.test.ts';
