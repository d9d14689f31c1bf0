/** What the log says of an error that holds somebody's data: nothing of it. */
import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { createLogger } from '../../src/start/logger.ts';
import { errorFields } from '../../src/telemetry/error-fields.ts';

const subject = 'customer-4711';

/** As a Redis client raises it: with the command and its arguments as members. */
function storeFault(): Error {
  const cause = new Error(`inner ${subject}`);
  return Object.assign(new TypeError(`WRONGTYPE at ${subject}\n    at /src/${subject}.ts:1:1`, { cause }), {
    code: 'WRONGTYPE',
    command: { name: 'hget', args: [subject] },
  });
}

function lineOf(log: (logger: ReturnType<typeof createLogger>) => void): string {
  let written = '';
  const destination = new Writable({
    write(chunk, _encoding, done) {
      written += chunk;
      done();
    },
  });
  log(createLogger({ level: 'trace', destination }));
  return written;
}

test.each<[string, (logger: ReturnType<typeof createLogger>, err: Error) => void]>([
  ['as a field beside a sentence', (logger, err) => logger.error({ err }, 'a sentence')],
  ['as a field alone', (logger, err) => logger.error({ err })],
  ['as itself, as close-with-grace does', (logger, err) => logger.error(err)],
  ['as itself beside a sentence', (logger, err) => logger.warn(err, 'a sentence')],
  ['through a child', (logger, err) => logger.child({ part: 'store' }).fatal({ err })],
])('an error given %s is written as its name, its code and its place', (_how, log) => {
  const line = lineOf((logger) => log(logger, storeFault()));
  expect(JSON.parse(line).err).toEqual({ name: 'TypeError', code: 'WRONGTYPE', at: null });
  expect(line).not.toContain(subject);
});

test('the place is the first of our own files', () => {
  const fault = Object.assign(new Error('x'), {
    stack: 'Error: x\n    at read (node:fs:1:2)\n    at go (file:///opt/src/redis/line.ts:7:9)',
  });
  expect(errorFields(fault)).toEqual({ name: 'Error', code: null, at: 'src/redis/line.ts:7:9' });
});

test.each([null, undefined, 'text', { name: 'a person', code: 'two words' }, { name: 7, code: {}, stack: 3 }])(
  'anything else that is thrown, such as %j, says nothing',
  (thrown) => {
    expect(errorFields(thrown)).toEqual({ name: null, code: null, at: null });
  },
);
