/** Under which names the stores of these tests keep their records, so that a test can look at one behind a store's back. */
import { keyNames } from '../../src/records/keys.ts';

export const keySecret = 'only the tests know it';
export const names = keyNames(keySecret);
