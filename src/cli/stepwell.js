#!/usr/bin/env node
// The `stepwell` command for whatever Node runs it. The source is TypeScript that a current Node runs as it is; an older one
// hands over to the Node that this project pins among its packages. Plain JavaScript, and nothing newer than Node 20.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const oldestNode = 24;
const command = fileURLToPath(new URL('./main.ts', import.meta.url));

if (isInstalledPackage()) {
  process.stderr.write(
    'stepwell: the service and this command run from a checkout or from the image; the installed package is for `stepwell/client`, in pages\n',
  );
  process.exit(2);
} else if (canRunTheSource()) {
  process.argv[1] = command;
  if (process.argv[2] === 'serve') await useKeptCode();
  await import('./main.ts');
} else {
  handOver(pinnedNode());
}

/** Node runs TypeScript as it is, but never what stands in a folder of packages. */
function isInstalledPackage() {
  return /[\\/]node_modules[\\/]/.test(command);
}

function canRunTheSource() {
  return Number.parseInt(process.versions.node, 10) >= oldestNode && Boolean(process.features.typescript);
}

/** Before anything else is loaded, where an earlier start has kept it. What the directory is, and whether it may be, the verb says. */
async function useKeptCode() {
  try {
    const { useCompiledCode } = await import('./compiled-code.js');
    useCompiledCode(process.env.STEPWELL_DATA_DIR?.trim() || '.stepwell');
  } catch {
    // A start without is slower, and nothing else.
  }
}

function pinnedNode() {
  try {
    const path = join(dirname(createRequire(import.meta.url).resolve('node/package.json')), 'bin', 'node');
    if (existsSync(path)) return path;
  } catch {
    // Not installed: the sentence below says what to do.
  }
  process.stderr.write(
    `stepwell: needs Node ${oldestNode} or newer and this is ${process.version}; run \`npm ci\`, which brings one, or upgrade\n`,
  );
  process.exit(2);
}

function handOver(node) {
  const child = spawn(node, [command, ...process.argv.slice(2)], { stdio: 'inherit' });
  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT']) {
    process.on(signal, () => {
      // A terminal has already told the whole group about Ctrl-C.
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    });
  }
  child.on('error', () => {
    process.stderr.write(`stepwell: \`${node}\` could not be started\n`);
    process.exit(2);
  });
  child.on('exit', (code, signal) => process.exit(signal === null ? (code ?? 2) : 128 + constants.signals[signal]));
}
