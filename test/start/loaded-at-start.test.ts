/** What a start does not load before it listens: a cold start is mostly the loading of modules, and grows by one import at a time. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { root, temporaryDirectory } from '../cli/run-stepwell.ts';
import { freePort } from '../support/redis-server.ts';

/** Each is loaded when it is asked for, or once the service listens. */
const laterOrNever = [
  /\/node_modules\/@opentelemetry\//,
  /\/node_modules\/@fastify\/(swagger|swagger-ui|static|send|ajv-compiler|fast-json-stringify-compiler)\//,
  /\/node_modules\/(cli-progress|lmdb|glob)\//,
  /\/src\/cli\/(lint-policy|load-records|mint-token)\.ts$/,
  /\/src\/(embedded|console)\//,
  /\/src\/contract\/openapi\.ts$/,
  /\/src\/start\/workers\.ts$/,
];

test('before it listens, a service on Redis has loaded nothing that no first answer needs', async () => {
  await using directory = await temporaryDirectory();
  const env = {
    PATH: process.env.PATH ?? '',
    STEPWELL_DATA_DIR: join(directory.path, 'data'),
    STEPWELL_POLICY: join(root, 'examples/retail.yaml'),
    STEPWELL_REDIS_URL: 'redis://127.0.0.1:1',
    STEPWELL_PORT: String(await freePort()),
    STEPWELL_MANAGEMENT_PORT: '0',
  };
  const preload = ['--import', new URL('report-loaded.ts', import.meta.url).href];
  const child = spawn(process.execPath, [...preload, 'src/cli/stepwell.js', 'serve'], {
    cwd: root,
    env,
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  onTestFinished(async () => {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  });
  const [loaded] = (await once(child, 'message')) as [readonly string[]];
  expect(loaded.some((url) => url.endsWith('/src/http/routes/decide.ts'))).toBe(true);
  expect(loaded.filter((url) => laterOrNever.some((pattern) => pattern.test(url)))).toEqual([]);
});

test.each([
  'node_modules/@opentelemetry/sdk-metrics/dist/index.mjs',
  'node_modules/@fastify/swagger-ui/index.js',
  'node_modules/lmdb/index.js',
  'src/cli/load-records.ts',
  'src/contract/openapi.ts',
])('the guard sees %s', (path) => {
  expect(laterOrNever.some((pattern) => pattern.test(`file:///somewhere/${path}`))).toBe(true);
});
