/** What is asked of every mutant of tokens, proofs, key sets and session ids. */
import './few-cases.ts';
import '../identity/session-id.test.ts';
import '../identity/compact-jws.test.ts';
import '../identity/key-set.test.ts';
import '../identity/token.test.ts';
import '../identity/proof.test.ts';
import '../identity/mint.test.ts';
