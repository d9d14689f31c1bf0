/** An issuer's key set, or a source of data, that leads the service elsewhere or keeps it busy. Each is tried on real sockets. */
import { type Area, triedIn } from './attack.ts';

const keySets = 'test/start/remote-key-set.test.ts';
const sources = 'test/sources/sources.test.ts';

export const keySetsAndSources: Area = {
  area: 'key sets and sources',
  attacks: [
    {
      name: 'a redirect to where machines get their credentials, to a file, to a socket',
      holds: 'no redirect is followed',
      try: () => triedIn(keySets, 'redirects to where machines get their credentials', 'redirects to a file'),
    },
    {
      name: 'a name that resolves to this machine or to a private network, at once or the second time',
      holds: 'the address is judged when the connection is made',
      async try() {
        await triedIn(
          keySets,
          'cannot be resolved to anything but this machine without a certificate, nor to where credentials are with one',
        );
        await triedIn(sources, 'is judged each time that a connection is made: a name that changes its mind is heard');
      },
    },
    {
      name: 'tokens without number that name keys nobody knows',
      holds: 'the issuer is asked once in half a minute',
      try: () => triedIn(keySets, 'have the address asked once in half a minute, however many they are'),
    },
    {
      name: 'an answer that comes drop by drop, or never',
      holds: 'it is cut off, and no decision waits for it',
      try: () => triedIn(keySets, 'sends drop by drop', 'says nothing'),
    },
    {
      name: 'an answer that is small on the wire and huge in memory, or encoded twice',
      holds: 'nothing encoded is read, and nothing large',
      try: () => triedIn(keySets, 'sends a gzip bomb', 'encodes twice', 'announces fifty megabytes'),
    },
    {
      name: 'a key that was taken back, and tokens of it that are remembered',
      holds: 'within a minute they prove nobody',
      try: () => triedIn(keySets, 'that were taken back are out of use within a minute, whatever is in the cache'),
    },
  ],
};
