/**
 * Shared caches as their vendors ship them, each in several manners: as our recipe has it, as somebody has it who wants hits and thinks
 * of nothing else, as somebody has it who overrides what the origin says, and with nothing but the vendor's defaults.
 */
import { readFileSync } from 'node:fs';
import { type Program, programs } from '../support/programs.ts';

/**
 * ordinary: the recipe of `deploy/caches`. hostile: for hits above all, within what the origin says. overriding: the same, whatever the
 * origin says. queryless: hostile, with the query left out of the key. plain: the vendor's defaults.
 */
export type Manner = 'ordinary' | 'hostile' | 'overriding' | 'queryless' | 'plain';

export const productNames = ['nginx', 'varnish', 'trafficserver', 'haproxy', 'squid'] as const;
export type ProductName = (typeof productNames)[number];

/** By `npm test`; `STEPWELL_TEST_CACHES=trafficserver,haproxy,squid` tries others. */
export const productsTried: readonly ProductName[] = productNames.filter((name) =>
  (process.env.STEPWELL_TEST_CACHES ?? 'nginx,varnish').split(',').includes(name),
);

export interface Setup {
  /** By name, relative to the folder that it runs in. */
  readonly files: Readonly<Record<string, string>>;
  readonly parameters: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export interface Place {
  /** What it runs in, and may write to. */
  readonly directory: string;
  readonly port: number;
  readonly originPort: number;
}

interface CacheProduct {
  readonly program: Program;
  setUp(manner: Manner, place: Place): Setup;
}

/** What the recipes say, for whoever copies them; exchanged for what is free here. */
const recipePort = { edge: '127.0.0.1:8000', service: '127.0.0.1:8080' } as const;

export const cacheProducts: Readonly<Record<ProductName, CacheProduct>> = {
  nginx: {
    program: programs.nginx,
    setUp(manner, { directory, port, originPort }) {
      const config = textFor('nginx.conf', manner, {
        overriding: [['proxy_ignore_headers Vary', 'proxy_ignore_headers Cache-Control Expires Vary']],
        queryless: [['proxy_cache_key $uri$is_args$args', 'proxy_cache_key $uri']],
        plain: plainNginx,
      });
      const text = replaced(config, [
        [recipePort.edge, `127.0.0.1:${port}`],
        [recipePort.service, `127.0.0.1:${originPort}`],
        ['worker_processes auto', 'worker_processes 1'],
      ]);
      return { files: { 'nginx.conf': text }, parameters: ['-p', directory, '-c', 'nginx.conf', '-g', 'daemon off;'] };
    },
  },
  varnish: {
    program: programs.varnish,
    setUp(manner, { directory, port, originPort }) {
      const config = textFor('varnish.vcl', manner, {
        overriding: [['set beresp.keep = 1h;', 'set beresp.keep = 1h;\n  set beresp.ttl = 60s;\n  return (deliver);']],
        queryless: [['hash_data(req.url)', 'hash_data(regsub(req.url, "\\?.*", ""))']],
        plain: plainVarnish,
      });
      const text = replaced(config, [['.port = "8080"', `.port = "${originPort}"`]]);
      const small = ['-p', 'thread_pools=1', '-p', 'thread_pool_min=20', '-p', 'vcc_allow_inline_c=off'];
      const parameters = ['-F', '-n', `${directory}/work`, '-a', `127.0.0.1:${port}`, '-f', `${directory}/varnish.vcl`];
      return { files: { 'varnish.vcl': text }, parameters: [...parameters, '-s', 'malloc,64m', '-T', 'none', ...small] };
    },
  },
  haproxy: {
    program: programs.haproxy,
    setUp(manner, { directory, port, originPort }) {
      const config = textFor('haproxy.cfg', manner, {
        overriding: [
          ['http-response del-header Vary', 'http-response del-header Vary\n  http-response set-header Cache-Control max-age=60'],
        ],
        plain: plainHaproxy,
      });
      const text = replaced(config, [
        [recipePort.edge, `127.0.0.1:${port}`],
        [recipePort.service, `127.0.0.1:${originPort}`],
      ]);
      return { files: { 'haproxy.cfg': text }, parameters: ['-db', '-f', `${directory}/haproxy.cfg`] };
    },
  },
  squid: {
    program: programs.squid,
    setUp(manner, { directory, port, originPort }) {
      const ignoring = 'override-expire override-lastmod ignore-no-store ignore-private';
      const config = textFor('squid.conf', manner, { overriding: [['ignore-reload', `ignore-reload ${ignoring}`]], plain: plainSquid });
      const text = replaced(config, [
        [recipePort.edge, `127.0.0.1:${port}`],
        ['parent 8080', `parent ${originPort}`],
      ]);
      const ours = ['pid_filename none', `cache_log ${directory}/squid.log`, `coredump_dir ${directory}`, 'visible_hostname localhost'];
      return { files: { 'squid.conf': [text, ...ours, ''].join('\n') }, parameters: ['-N', '-f', `${directory}/squid.conf`] };
    },
  },
  trafficserver: {
    program: programs.trafficserver,
    setUp(manner, place) {
      const read = (name: string, instead: string, edits: readonly Edit[] = []): string =>
        textFor(`trafficserver/${name}`, manner, { overriding: edits, plain: instead });
      const records = read('records.config', plainTrafficServer, [
        ['INT 604800', 'INT 604800\nCONFIG proxy.config.http.cache.ignore_server_no_cache INT 1'],
      ]);
      const remap = read('remap.config', 'map / http://127.0.0.1:8080/\n');
      const own = [
        `CONFIG proxy.config.body_factory.template_sets_dir STRING /etc/trafficserver/body_factory`,
        // Whoever starts it is whom it runs as.
        'CONFIG proxy.config.admin.user_id STRING #-1',
        'CONFIG proxy.config.http.wait_for_cache INT 1',
        'CONFIG proxy.config.exec_thread.autoconfig INT 0',
        'CONFIG proxy.config.exec_thread.limit INT 2',
        'CONFIG proxy.config.cache.ram_cache.size INT 16777216',
      ];
      const files = {
        'etc/records.config': `${replaced(records, [['STRING 8000:', `STRING ${place.port}:`]])}\n${own.join('\n')}\n`,
        'etc/remap.config': remap.replaceAll(recipePort.service, `127.0.0.1:${place.originPort}`),
        'etc/storage.config': 'cache 64M\n',
        'etc/cache.config': manner === 'overriding' ? 'url_regex=.* ttl-in-cache=1m\n' : '',
        'etc/plugin.config': '',
        'etc/ip_allow.yaml': 'ip_allow:\n  - { apply: in, ip_addrs: 127.0.0.1, action: allow, methods: ALL }\n',
        'runroot.yml': runRoot(place.directory),
        'etc/shared_answers.config': recipe('trafficserver/shared_answers.config'),
        'etc/own_answers.config': recipe('trafficserver/own_answers.config'),
      };
      return { files, parameters: [`--run-root=${place.directory}/runroot.yml`] };
    },
  },
};

type Edit = readonly [written: string, instead: string];

interface Others {
  /** Of the hostile configuration. */
  readonly overriding: readonly Edit[];
  readonly queryless?: readonly Edit[];
  readonly plain: string;
}

function textFor(name: string, manner: Manner, { overriding, queryless, plain }: Others): string {
  switch (manner) {
    case 'ordinary':
      return recipe(name);
    case 'hostile':
      return hostile(name);
    case 'overriding':
      return replaced(hostile(name), overriding);
    case 'queryless':
      if (queryless === undefined) throw new Error(`nobody wrote how ${name} leaves the query out`);
      return replaced(hostile(name), queryless);
    case 'plain':
      return plain;
  }
}

const recipe = (name: string): string => readFileSync(new URL(`../../deploy/caches/${name}`, import.meta.url), 'utf8');
const hostile = (name: string): string => readFileSync(new URL(`hostile/${name}`, import.meta.url), 'utf8');

/** What is not there to be replaced would make a test of something else. */
function replaced(text: string, edits: readonly Edit[]): string {
  return edits.reduce((so, [written, instead]) => {
    if (!so.includes(written)) throw new Error(`the configuration says nowhere \`${written}\``);
    return so.replaceAll(written, instead);
  }, text);
}

function runRoot(directory: string): string {
  const folders = {
    prefix: directory,
    exec_prefix: '/usr',
    bindir: '/usr/bin',
    sbindir: '/usr/sbin',
    sysconfdir: `${directory}/etc`,
    datadir: `${directory}/share`,
    libdir: '/usr/lib/trafficserver',
    libexecdir: '/usr/lib/trafficserver/modules',
    localstatedir: `${directory}/run`,
    runtimedir: `${directory}/run`,
    logdir: `${directory}/log`,
    cachedir: `${directory}/cache`,
  };
  return Object.entries(folders)
    .map(([name, path]) => `${name}: ${path}\n`)
    .join('');
}

const plainNginx = `worker_processes auto;
pid nginx.pid;
error_log stderr error;
events {}
http {
  access_log off;
  client_body_temp_path bodies;
  proxy_temp_path answers;
  fastcgi_temp_path unused;
  uwsgi_temp_path unused;
  scgi_temp_path unused;
  proxy_cache_path cache keys_zone=plain:10m use_temp_path=off;
  server {
    listen 127.0.0.1:8000;
    location / {
      proxy_cache plain;
      proxy_pass http://127.0.0.1:8080;
    }
  }
}
`;

const plainVarnish = 'vcl 4.1;\nbackend origin {\n  .host = "127.0.0.1";\n  .port = "8080";\n}\n';

const plainHaproxy = `cache plain
  total-max-size 64
  max-object-size 65536
  max-age 60
defaults
  mode http
  timeout connect 1s
  timeout client 30s
  timeout server 30s
frontend edge
  bind 127.0.0.1:8000
  default_backend origin
backend origin
  http-request cache-use plain
  http-response cache-store plain
  server origin 127.0.0.1:8080
`;

const plainSquid = `http_port 127.0.0.1:8000 accel defaultsite=localhost
cache_peer 127.0.0.1 parent 8080 0 no-query no-digest originserver login=PASSTHRU name=origin
never_direct allow all
http_access allow all
access_log none
cache_store_log none
pinger_enable off
shutdown_lifetime 0 seconds
`;

const plainTrafficServer = `CONFIG proxy.config.http.server_ports STRING 8000:ip-in=127.0.0.1
CONFIG proxy.config.url_remap.remap_required INT 1
CONFIG proxy.config.log.logging_enabled INT 0
`;
