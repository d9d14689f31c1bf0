/** A real nginx or Varnish with the example's own files, on a free port. Only the addresses in them are exchanged. */
import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { untilItListens } from '../../support/listening.ts';
import { findProgram, missingSentence, type Program, programs } from '../../support/programs.ts';
import { freePort } from '../../support/redis-server.ts';

export interface EdgeProcess {
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/** Where the example's files expect the shop, where they listen, and where nginx holds the shells. */
const shopAddress = '127.0.0.1:8081';
const ownAddress = '127.0.0.1:8082';
const shellsAddress = '127.0.0.1:8087';

/** `change` plants a fault. */
export async function startNginx(shopPort: number, change = (conf: string): string => conf): Promise<EdgeProcess> {
  const conf = change(readFileSync('examples/nginx/nginx.conf', 'utf8'));
  for (const address of [shopAddress, ownAddress, shellsAddress])
    if (!conf.includes(address)) throw new Error(`nginx.conf does not name ${address}`);
  return start(programs.nginx, async (directory, port) => {
    const shellsPort = await freePort();
    writeFileSync(
      join(directory, 'nginx.conf'),
      conf
        .replace(shopAddress, `127.0.0.1:${shopPort}`)
        .replace(ownAddress, `127.0.0.1:${port}`)
        .replaceAll(shellsAddress, `127.0.0.1:${shellsPort}`),
    );
    return ['-p', directory, '-c', 'nginx.conf', '-g', 'daemon off;'];
  });
}

export async function startVarnish(shopPort: number, change = (vcl: string): string => vcl): Promise<EdgeProcess> {
  const vcl = change(readFileSync('examples/varnish/shop.vcl', 'utf8'));
  if (!vcl.includes('.port = "8081"')) throw new Error('shop.vcl does not name the port of the shop');
  return startVarnishWith(vcl.replace('.port = "8081"', `.port = "${shopPort}"`), {
    'approved.vcl': readFileSync('examples/varnish/approved.vcl', 'utf8'),
  });
}

/**
 * A cache that several people share, and that looks up everything, whoever asks with whatever cookie: it goes by nothing but what the page
 * says of itself. What a page of it asks the service goes through it as well.
 */
export async function startSharedCache(originPort: number, servicePort = originPort): Promise<EdgeProcess> {
  return startVarnishWith(`vcl 4.1;
    backend page { .host = "127.0.0.1"; .port = "${originPort}"; }
    backend service { .host = "127.0.0.1"; .port = "${servicePort}"; }
    sub vcl_recv {
      if (req.url ~ "^/(v1|\\.well-known)/") { set req.backend_hint = service; }
      else { set req.backend_hint = page; }
      if (req.method == "POST") { return (pass); }
      return (hash);
    }
    sub vcl_hash { hash_data(req.url); return (lookup); }`);
}

async function startVarnishWith(vcl: string, others: Readonly<Record<string, string>> = {}): Promise<EdgeProcess> {
  return start(programs.varnish, async (directory, port) => {
    for (const [name, text] of Object.entries({ 'main.vcl': vcl, ...others })) writeFileSync(join(directory, name), text);
    const sizes = ['-s', 'default,16m', '-p', 'thread_pools=1', '-p', 'thread_pool_min=10'];
    const work = join(directory, 'work');
    return ['-F', '-a', `127.0.0.1:${port}`, '-f', join(directory, 'main.vcl'), '-n', work, '-p', `vcl_path=${directory}`, ...sizes];
  });
}

const endWithinMs = 3000;
const startAttemptsMax = 3;

async function start(program: Program, setUp: (directory: string, port: number) => Promise<readonly string[]>): Promise<EdgeProcess> {
  const binary = findProgram(program);
  if (binary === null) throw new Error(missingSentence(program));
  for (let attempt = 1; ; attempt += 1) {
    const directory = mkdtempSync(join(tmpdir(), 'stepwell-edge-'));
    // The worker that nginx starts is another user's.
    chmodSync(directory, 0o777);
    const port = await freePort();
    const child = spawn(binary, await setUp(directory, port), { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] });
    const killWithUs = (): void => void child.kill('SIGKILL');
    process.once('exit', killWithUs);
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()).once('error', () => resolve()));
    const stop = async (): Promise<void> => {
      child.kill('SIGTERM');
      const giveUp = setTimeout(killWithUs, endWithinMs);
      await exited;
      clearTimeout(giveUp);
      process.off('exit', killWithUs);
      rmSync(directory, { recursive: true, force: true });
    };
    try {
      await untilItListens(child, port);
      return { url: `http://127.0.0.1:${port}`, pid: child.pid ?? 0, stop };
    } catch (error) {
      await stop();
      // Somebody may have taken the free port between our asking for it and its being bound.
      if (attempt === startAttemptsMax) throw error;
    }
  }
}
