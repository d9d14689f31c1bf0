/** Mistakes people make in a policy: a change to `fixtures/small.yaml` and exactly the problems it must bring. */

export interface Mistake {
  readonly name: string;
  /** Replaces the first occurrence of each key. */
  readonly change: Readonly<Record<string, string>>;
  /** `code line:column severity: message`. */
  readonly problems: readonly string[];
}

const W = '\'profile.loyalty == "gold"\'';
const S = '\'request.country == "DE"\'';

function telling(line: number, column: number, what: string, of: string, example: string): string {
  return `id-not-opaque ${line}:${column} warning: the id of ${what} of class ${of} looks like words, and ids reach more eyes than what they stand for: write one that tells nothing, such as \`${example}\`, and what it means in a comment`;
}

const user = (when: string) => ({ [W]: when });
const segment = (when: string) => ({ [S]: when });

export const mistakes: readonly Mistake[] = [
  { name: 'nothing is wrong', change: {}, problems: [] },
  {
    name: 'another schema version',
    change: { 'stepwell: 1': 'stepwell: 2' },
    problems: ['unsupported-version 1:11 error: this service reads policies of version 1: write `stepwell: 1`'],
  },
  {
    name: 'no version and no name',
    change: { 'stepwell: 1\npolicy: small\n': '' },
    problems: [
      'missing-field 1:1 error: the policy needs `stepwell`: write `stepwell: 1`',
      'missing-field 1:1 error: the policy needs `policy`: write `policy: <name>`',
    ],
  },
  {
    name: 'a name that is a word of JavaScript',
    change: { 'policy: small': 'policy: constructor' },
    problems: ['invalid-name 2:9 error: a policy cannot be named `constructor`: the word is reserved, choose another'],
  },
  {
    name: 'a retention that is none, and one of what is not kept',
    change: {
      'loyalty: { type: string,': 'loyalty: { retentionDays: 0, type: string,',
      'lapsed: {': 'lapsed: { retentionDays: 3651,',
      'device: {': 'device: { retentionDays: 30,',
    },
    problems: [
      'unknown-field 4:62 error: attribute `request.device` has no field `retentionDays`; write one of `type`, `values`, `class`, `category`, `specialFeature`',
      'out-of-bounds 7:31 error: `retentionDays` of attribute `profile.loyalty` is 0: write a whole number from 1 to 3650',
      'out-of-bounds 12:39 error: `retentionDays` of audience `lapsed` is 3651: write a whole number from 1 to 3650',
    ],
  },
  {
    name: 'a special feature that is none, and one of what no device tells',
    change: { 'device: {': 'device: { specialFeature: 3,', 'loyalty: {': 'loyalty: { specialFeature: 1,' },
    problems: [
      'out-of-bounds 4:78 error: `specialFeature` of attribute `request.device` is 3: write a whole number from 1 to 2',
      'unknown-field 7:16 error: attribute `profile.loyalty` has no field `specialFeature`; write one of `type`, `values`, `class`, `category`, `retentionDays`',
    ],
  },
  { name: 'a special feature is fine', change: { 'device: {': 'device: { specialFeature: 2,' }, problems: [] },
  { name: 'a retention is fine', change: { 'lapsed: {': 'lapsed: { retentionDays: 3650,' }, problems: [] },
  {
    name: 'a misspelt section',
    change: { 'audiences:': 'audience:' },
    problems: ['unknown-field 12:1 error: the policy has no field `audience`; did you mean `audiences`?'],
  },
  {
    name: 'a misspelt field of a zone',
    change: { 'kind: content': 'kinds: content' },
    problems: [
      'unknown-field 18:5 error: zone `hero` has no field `kinds`; did you mean `kind`?',
      'missing-field 18:5 error: zone `hero` needs `kind`: write `kind: content` or `kind: offer`',
    ],
  },
  {
    name: 'a section of the wrong type',
    change: { 'pages:\n  home: { zones: [hero, rail] }': 'pages: [home]' },
    problems: ['wrong-type 14:8 error: `pages` must be a map of fields, not a list'],
  },
  { name: 'a section left empty', change: { 'pages:\n  home: { zones: [hero, rail] }': 'pages:' }, problems: [] },
  {
    name: 'a key twice',
    change: { 'policy: small': 'policy: small\npolicy: other' },
    problems: ['duplicate-key 3:1 error: `policy` is written twice in one map: keep one of them'],
  },
  {
    name: 'a key that is a number',
    change: { 'headline: Gold': '1: Gold' },
    problems: ['key-not-text 36:22 error: a key must be text: write "1" in quotes'],
  },
  {
    name: 'a merge key',
    change: { 'headline: Gold': '<<: { a: 1 }' },
    problems: ['merge-key 36:22 error: merge keys are not part of YAML 1.2: write the fields out'],
  },
  {
    name: 'a key that would be a prototype',
    change: { 'headline: Gold': '__proto__: Gold' },
    problems: ['invalid-name 36:22 error: `__proto__` is no name for data: choose another'],
  },
  {
    name: 'a value without a JSON form',
    change: { 'headline: Gold': 'headline: .inf' },
    problems: ['not-json 36:32 error: this value has no JSON form: write text, a finite number, true, false, a list or a map'],
  },
  {
    name: 'a number of more digits than a number keeps',
    change: { 'headline: Gold': 'headline: 12345678901234567890' },
    problems: ['not-json 36:32 error: this number is too large to be kept to its last digit: write it as text, in quotes'],
  },
  {
    name: 'an alias without an anchor',
    change: { 'headline: Gold': 'headline: *gold' },
    problems: ['unknown-alias 36:32 error: no anchor `&gold` stands before this alias; none is declared'],
  },
  {
    name: 'YAML that does not parse',
    change: { 'policy: small': 'policy: [small' },
    problems: [
      'syntax 3:1 error: this is not YAML 1.2 or JSON: flow sequence in block collection must be sufficiently indented and end with a ]',
    ],
  },
  {
    name: 'an attribute without a type',
    change: { 'country: { type: string, class: S0 }': 'country: { class: S0 }' },
    problems: ['missing-field 4:23 error: attribute `request.country` needs `type`: write `type: string`, int, bool, timestamp or strings'],
  },
  {
    name: 'an attribute of an unknown type, whose uses are not blamed',
    change: { 'country: { type: string, class: S0 }': 'country: { type: text, class: S0 }' },
    problems: [
      'unknown-value 4:31 error: the type of attribute `request.country` cannot be `text`; write one of `string`, `int`, `bool`, `timestamp`, `strings`',
    ],
  },
  {
    name: 'a number with a fraction as a type',
    change: { 'pages: { type: int': 'pages: { type: float' },
    problems: [
      'unknown-value 5:70 error: the type of attribute `session.pages` cannot be `float`; write one of `string`, `int`, `bool`, `timestamp`, `strings`',
    ],
  },
  {
    name: 'values of a number',
    change: { 'pages: { type: int': 'pages: { type: int, values: [a]' },
    problems: ['unknown-field 5:75 error: attribute `session.pages` is of type int: only string and strings take `values`'],
  },
  {
    name: 'an unknown class',
    change: { 'country: { type: string, class: S0 }': 'country: { type: string, class: S5 }' },
    problems: [
      'unknown-value 4:46 error: the class of attribute `request.country` cannot be `S5`; write one of `S0`, `S1`, `S2`, `S3`',
      'class-not-enabled 25:13 warning: rule 1 of the segment rung of zone `hero` is of class S3 without a category, by what it reads or declares, and is never eligible: label what it reads with a class',
    ],
  },
  {
    name: 'a category without S3',
    change: { 'x_2: { type: int, class: S2': 'x_2: { type: int, class: S2, category: wealth' },
    problems: ['unknown-field 10:34 error: `category` belongs to class S3 only: write `class: S3` beside it, or leave it out'],
  },
  {
    name: 'S3 without a category',
    change: { 'class: S3, category: health': 'class: S3' },
    problems: [
      'class-not-enabled 9:24 warning: attribute `profile.x_1` is S3 without a category and is never eligible: write `category: <name>` beside the class',
    ],
  },
  {
    name: 'a request attribute that a request has a field for',
    change: { 'country: { type: string, class: S0 }': 'zones: { type: string, class: S0 }, country: { type: string, class: S0 }' },
    problems: ['invalid-name 4:14 error: a request attribute cannot be named `zones`: a request has a field of that name, choose another'],
  },
  {
    name: 'deadlines that do not rise',
    change: { 'pages:\n': 'deadline: { defaultMs: 60, minMs: 80, maxMs: 70 }\npages:\n' },
    problems: ['deadline-out-of-bounds 14:11 error: `deadline` must rise from minMs over defaultMs to maxMs: it says 80, 60, 70'],
  },
  {
    name: 'settings out of bounds',
    change: {
      'pages:\n':
        'consent: { maxAgeDays: 396, path: vendors, regimes: { US: gdpr, us: opt_in } }\ndependencies: { profil: { budgetMs: 5 }, model: { budgetMs: -1, retries: 0.5, onFailure: sesion } }\nfreshness: { maxMs: soon }\npages:\n',
    },
    problems: [
      'out-of-bounds 14:24 error: `maxAgeDays` of `consent` is 396: write a whole number from 1 to 395',
      'unknown-value 14:35 error: `path` of `consent` cannot be `vendors`; did you mean `vendor`?',
      'unknown-value 14:59 error: the regime of `US` cannot be `gdpr`; write one of `us_opt_out`, `opt_in`',
      'unknown-value 14:65 error: `us` is no country code: write two capital letters, such as `DE`',
      'unknown-field 15:17 error: `dependencies` has no field `profil`; did you mean `profile`?',
      'not-acted-on 15:49 warning: nobody asks dependency `model` without `source: http`, so its settings change nothing: write its source, or leave them out',
      'out-of-bounds 15:61 error: `budgetMs` of dependency `model` is -1: write a whole number from 0 to 60000',
      'out-of-bounds 15:74 error: `retries` of dependency `model` is 0.5: write a whole number from 0 to 5',
      'unknown-value 15:90 error: `onFailure` of dependency `model` cannot be `sesion`; did you mean `session`?',
      'wrong-type 16:21 error: `maxMs` of `freshness` must be a whole number from 0 to 86400000, not text',
    ],
  },
  {
    name: 'settings that this version does not act on',
    change: {
      'pages:\n':
        'freshness: { maxMs: 500 }\ndependencies: { profile: { budgetMs: 5, retries: 2 }, consent: { retries: 0 }, audience: { budgetMs: 9 } }\npages:\n',
    },
    problems: [
      'not-acted-on 15:90 warning: nobody asks dependency `audience` without `source: http`, so its settings change nothing: write its source, or leave them out',
    ],
  },
  {
    name: 'settings that ask for what this version does anyway',
    change: { 'pages:\n': 'freshness: { maxMs: 0 }\npages:\n' },
    problems: [],
  },
  {
    name: 'sources as they should be',
    change: {
      'pages:\n':
        "dependencies: { identity: { source: http, url: 'https://ids.example/{deviceId}', map: { subject: response.person } }, profile: { source: http, method: POST, url: 'https://cdp.example/?q=1', send: [device], headers: { authorization: { env: STEPWELL_SOURCE_CDP } }, map: { attributes: { loyalty: response.tier }, audiences: response.segments } }, audience: { source: http, url: 'https://aud.example/{subject}?by={subject}', map: { audiences: response.names } }, model: { source: http, class: S1, method: POST, url: 'https://rec.example/score', map: { propensityPpm: response.scores } }, consent: { source: store } }\npages:\n",
      'propensityPpm: 1000': 'propensity: model',
    },
    problems: [],
  },
  {
    name: 'sources for what is always stored',
    change: {
      'pages:\n': "dependencies: { consent: { source: http, url: 'https://cmp.example/{subject}' }, session: { source: https } }\npages:\n",
    },
    problems: [
      "source-not-allowed 14:36 error: dependency `consent` is always the store's: write `source: store`, or leave it out",
      'unknown-field 14:42 error: dependency `consent` has no field `url`; write one of `budgetMs`, `retries`, `onFailure`, `late`, `source`',
      'unknown-value 14:101 error: `source` of dependency `session` cannot be `https`; did you mean `http`?',
    ],
  },
  {
    name: 'what a source needs, without a source',
    change: { 'pages:\n': "dependencies: { profile: { url: 'https://aud.example/{subject}', maxBytes: 5 } }\npages:\n" },
    problems: [
      'unknown-field 14:28 error: `url` of dependency `profile` belongs to `source: http`: write that beside it, or leave it out',
      'unknown-field 14:66 error: `maxBytes` of dependency `profile` belongs to `source: http`: write that beside it, or leave it out',
    ],
  },
  {
    name: 'a source that says nothing',
    change: { 'pages:\n': 'dependencies: { identity: { source: http }, model: { source: http, class: S1 } }\npages:\n' },
    problems: [
      'missing-field 14:27 error: dependency `identity` needs `url`: write `url: https://<host>/<path>/{deviceId}`',
      'missing-field 14:27 error: dependency `identity` needs `map`: write `map: { subject: response.<member> }`',
      'missing-field 14:52 error: dependency `model` needs `url`: write `url: https://<host>/<path>/{subject}`',
      'missing-field 14:52 error: dependency `model` needs `map`: write `map: { propensityPpm: response.<member> }`',
    ],
  },
  {
    name: 'a source that maps something else',
    change: {
      'pages:\n':
        "dependencies: { identity: { source: http, url: 'https://ids.example/{deviceId}', map: { propensityPpm: response.x } } }\npages:\n",
    },
    problems: [
      'missing-field 14:87 error: `map` of dependency `identity` needs `subject`: write `subject: response.<member>`',
      'unknown-field 14:89 error: `map` of dependency `identity` has no field `propensityPpm`; write one of `subject`, `method`, `confidencePpm`',
    ],
  },
  {
    name: 'a URL that is relative',
    change: {
      'pages:\n': "dependencies: { audience: { source: http, map: { audiences: response.names }, url: '/people/{subject}' } }\npages:\n",
    },
    problems: ['url-not-allowed 14:84 error: `url` of dependency `audience` must be absolute: write `https://<host>/<path>`'],
  },
  {
    name: 'a URL of another scheme',
    change: {
      'pages:\n':
        "dependencies: { audience: { source: http, map: { audiences: response.names }, url: 'file:///etc/{subject}' } }\npages:\n",
    },
    problems: ['url-not-allowed 14:84 error: `url` of dependency `audience` must be absolute: write `https://<host>/<path>`'],
  },
  {
    name: 'a URL with a user',
    change: {
      'pages:\n':
        "dependencies: { audience: { source: http, map: { audiences: response.names }, url: 'https://me:secret@aud.example/{subject}' } }\npages:\n",
    },
    problems: [
      'url-not-allowed 14:84 error: `url` of dependency `audience` holds a user or a password: send what proves you in `headers`, from a variable of the environment',
    ],
  },
  {
    name: 'a URL with a variable in its host',
    change: {
      'pages:\n':
        "dependencies: { audience: { source: http, map: { audiences: response.names }, url: 'https://{subject}.example/' } }\npages:\n",
    },
    problems: [
      'url-not-allowed 14:84 error: `url` of dependency `audience` must name one host: a variable may stand in the path and in values of the query',
    ],
  },
  {
    name: 'a URL with a variable in a name of its query',
    change: {
      'pages:\n':
        "dependencies: { audience: { source: http, map: { audiences: response.names }, url: 'https://aud.example/?{subject}=1' } }\npages:\n",
    },
    problems: [
      'url-not-allowed 14:84 error: `url` of dependency `audience` has a variable in a name of the query: it may stand in the path and in values',
    ],
  },
  {
    name: 'a URL with a fragment',
    change: {
      'pages:\n':
        "dependencies: { audience: { source: http, map: { audiences: response.names }, url: 'https://aud.example/{subject}#top' } }\npages:\n",
    },
    problems: [
      'url-not-allowed 14:84 error: `url` of dependency `audience` has a fragment, which is never sent: leave `#` and what follows out',
    ],
  },
  {
    name: 'a URL with another variable',
    change: {
      'pages:\n':
        "dependencies: { audience: { source: http, map: { audiences: response.names }, url: 'https://aud.example/{subject}/{deviceId}' } }\npages:\n",
    },
    problems: ['url-not-allowed 14:84 error: `url` of dependency `audience` has a variable `{deviceId}`: here there is only `{subject}`'],
  },
  {
    name: 'a URL with half a variable',
    change: {
      'pages:\n':
        "dependencies: { audience: { source: http, map: { audiences: response.names }, url: 'https://aud.example/{subject}/{' } }\npages:\n",
    },
    problems: [
      'url-not-allowed 14:84 error: `url` of dependency `audience` has a brace that closes or opens nothing: write `{subject}`, or `%7B` and `%7D`',
    ],
  },
  {
    name: 'a URL with a space',
    change: {
      'pages:\n':
        "dependencies: { audience: { source: http, map: { audiences: response.names }, url: 'https://aud.example/{subject} x' } }\npages:\n",
    },
    problems: ['url-not-allowed 14:84 error: `url` of dependency `audience` holds a character that no URL has: write it percent-encoded'],
  },
  {
    name: 'a URL without a host',
    change: {
      'pages:\n': "dependencies: { audience: { source: http, map: { audiences: response.names }, url: 'https:///{subject}' } }\npages:\n",
    },
    problems: ['url-not-allowed 14:84 error: `url` of dependency `audience` must be absolute: write `https://<host>/<path>`'],
  },
  {
    name: 'a URL that asks about nobody',
    change: {
      'pages:\n':
        "dependencies: { audience: { source: http, map: { audiences: response.names }, url: 'https://aud.example/all' } }\npages:\n",
    },
    problems: [
      'url-not-allowed 14:84 error: `url` of dependency `audience` does not say whom it asks about: write `{subject}` where it belongs, or `method: POST`, which sends it in its body',
    ],
  },
  {
    name: 'a header that belongs to the connection, one of a visitor, one of our own, one twice, and one that is none',
    change: {
      'pages:\n':
        "dependencies: { audience: { source: http, map: { audiences: response.names }, url: 'https://aud.example/{subject}', headers: { Connection: close, cookie: a, accept: text/html, x-a: b, X-A: c, 'a b': c } } }\npages:\n",
    },
    problems: [
      'header-not-allowed 14:128 error: header `Connection` of dependency `audience` belongs to the connection, not to the request: leave it out',
      'header-not-allowed 14:147 error: header `cookie` of dependency `audience` would make one visitor look like another: leave it out',
      'header-not-allowed 14:158 error: header `accept` of dependency `audience` is written by the service itself: leave it out',
      'header-not-allowed 14:185 error: header `X-A` of dependency `audience` is written twice: keep one of them',
      'header-not-allowed 14:193 error: header `a b` of dependency `audience` is no name of a header: write letters, digits and `-`',
    ],
  },
  {
    name: 'a header that breaks its line',
    change: {
      'pages:\n':
        'dependencies: { audience: { source: http, map: { audiences: response.names }, url: \'https://aud.example/{subject}\', headers: { x-a: "b\\r\\nx-b: c" } } }\npages:\n',
    },
    problems: [
      'header-not-allowed 14:133 error: header `x-a` of dependency `audience` must be at most 4096 printable ASCII characters on one line',
    ],
  },
  {
    name: "a header from the service's own variables",
    change: {
      'pages:\n':
        "dependencies: { audience: { source: http, map: { audiences: response.names }, url: 'https://aud.example/{subject}', headers: { x-a: { env: STEPWELL_SESSION_SECRET }, x-b: { env: STEPWELL_SOURCE_ }, x-c: { variable: X } } } }\npages:\n",
    },
    problems: [
      'variable-not-allowed 14:140 error: `env` of header `x-a` of dependency `audience` cannot be `STEPWELL_SESSION_SECRET`: name a variable that begins with `STEPWELL_SOURCE_`, so that no policy can send away what the service keeps for itself',
      'variable-not-allowed 14:179 error: `env` of header `x-b` of dependency `audience` cannot be `STEPWELL_SOURCE_`: name a variable that begins with `STEPWELL_SOURCE_`, so that no policy can send away what the service keeps for itself',
      'missing-field 14:204 error: header `x-c` of dependency `audience` needs `env`: write `{ env: STEPWELL_SOURCE_<NAME> }`',
      'unknown-field 14:206 error: header `x-c` of dependency `audience` has no field `variable`; write one of `env`',
    ],
  },
  {
    name: 'a secret in the policy',
    change: {
      'pages:\n':
        "dependencies: { audience: { source: http, map: { audiences: response.names }, url: 'https://aud.example/{subject}', headers: { authorization: Bearer abc } } }\npages:\n",
    },
    problems: [
      'secret-in-policy 14:143 warning: header `authorization` of dependency `audience` stands in the policy for everybody who reads it: write `{ env: STEPWELL_SOURCE_<NAME> }` and set that variable',
    ],
  },
  {
    name: 'attributes sent by GET, and one that nobody declared',
    change: {
      'pages:\n':
        "dependencies: { audience: { source: http, map: { audiences: response.names }, url: 'https://aud.example/{subject}', send: [device, devise] } }\npages:\n",
    },
    problems: [
      'unknown-field 14:117 error: `send` of dependency `audience` needs a body: write `method: POST` beside it, or leave it out',
      'unknown-attribute 14:132 error: in `send` of dependency `audience`, no attribute `devise` is declared under `attributes.request`; did you mean `device`?',
    ],
  },
  {
    name: 'mappings with mistakes',
    change: {
      'pages:\n':
        "dependencies: { profile: { source: http, url: 'https://cdp.example/{subject}', map: { attributes: { loyalty: 'respons.tier', loyality: 'response.tier', x_2: 'response.matches(\"x\")' }, audiences: 'response.' } } }\npages:\n",
    },
    problems: [
      'unknown-attribute 14:111 error: in attribute `loyalty` in `map` of dependency `profile`, there is no name `respons`; did you mean `response`?',
      'unknown-attribute 14:126 error: in `map` of dependency `profile`, no attribute `loyality` is declared under `attributes.profile`; did you mean `loyalty`?',
      'expression-unsupported 14:168 error: in attribute `x_2` in `map` of dependency `profile`, a mapping cannot call `matches`; write one of `startsWith`, `endsWith`, `contains`, `lowerAscii`, `upperAscii`, `trim`, `size`, `map`, `filter`, `exists`, `exists_one`, `all`',
      'expression-syntax 14:206 error: in `audiences` in `map` of dependency `profile`, this is not a CEL expression: it ends too soon',
    ],
  },
  {
    name: 'sizes of a source out of bounds',
    change: {
      'pages:\n':
        "dependencies: { audience: { source: http, map: { audiences: response.names }, url: 'https://aud.example/{subject}', maxBytes: 2000000, connections: 0 } }\npages:\n",
    },
    problems: [
      'out-of-bounds 14:127 error: `maxBytes` of dependency `audience` is 2000000: write a whole number from 1 to 262144',
      'out-of-bounds 14:149 error: `connections` of dependency `audience` is 0: write a whole number from 1 to 256',
    ],
  },
  {
    name: 'an offer of a model that nobody asks',
    change: { 'propensityPpm: 1000': 'propensity: model' },
    problems: [
      'model-without-source 44:17 error: offer `ring` takes its propensity from a model, and no model is asked: write `dependencies: { model: { source: http, … } }`, or `propensityPpm` alone',
    ],
  },
  {
    name: 'an offer of something else than a model',
    change: { 'propensityPpm: 1000': 'propensity: guess' },
    problems: [
      'missing-field 41:5 error: offer `ring` needs `propensityPpm`: write `propensityPpm: <0 to 1000000>`',
      'unknown-value 44:17 error: `propensity` of offer `ring` cannot be `guess`; write one of `model`',
    ],
  },
  {
    name: 'a model without a class',
    change: {
      'pages:\n':
        "dependencies: { model: { source: http, method: POST, url: 'https://rec.example/score', map: { propensityPpm: response.scores } } }\npages:\n",
      'propensityPpm: 1000': 'propensity: model',
    },
    problems: [
      'class-not-enabled 14:24 warning: dependency `model` declares no class, so every offer that asks it counts as S3 and is never eligible: write `class: S1`',
      'class-not-enabled 41:3 warning: offer `ring` is of class S3 without a category, by what it reads or declares, and is never eligible: label what it reads with a class',
    ],
  },
  {
    name: 'an offer of a model that only a segment rung selects',
    change: {
      'pages:\n':
        "dependencies: { model: { source: http, class: S1, method: POST, url: 'https://rec.example/score', map: { propensityPpm: response.scores } } }\npages:\n",
      'propensityPpm: 1000': 'propensity: model',
      '    kind: offer\n    ladder:\n      - tier: user': '    kind: offer\n    ladder:\n      - tier: segment',
    },
    problems: [
      'offer-never-reached 42:12 error: offer `ring` reads what only a user rung may, and its tags are selected no higher than on a segment rung: select one of its tags on a user rung, or let it read less',
    ],
  },
  {
    name: 'a rung that may not read audiences of a source',
    change: {
      'pages:\n':
        "dependencies: { audience: { source: http, map: { audiences: response.names }, url: 'https://aud.example/{subject}' } }\npages:\n",
      '\'request.country == "DE"\'': '\'"lapsed" in audiences\'',
    },
    problems: [
      'rung-reads-too-much 26:21 error: rule 1 of the segment rung of zone `hero` reads `"lapsed" in audiences`, which a segment rung may not: move the rule to the user rung',
    ],
  },
  {
    name: 'a late mode that there is not',
    change: { 'pages:\n': 'dependencies: { profile: { late: hide } }\npages:\n' },
    problems: ['unknown-value 14:34 error: `late` of dependency `profile` cannot be `hide`; write one of `fallback`, `defer`, `suppress`'],
  },
  {
    name: 'a misspelt category',
    change: { 'category: health': 'category: helth', [W]: "'profile.x_1'" },
    problems: [
      'class-not-enabled 22:13 warning: rule 1 of the user rung of zone `hero` is of category `helth`, which the policy does not enable: write it under `sensitive.S3.categories`, or did you mean `health`?',
    ],
  },
  {
    name: 'a page of zones that nobody defines',
    change: { 'zones: [hero, rail]': 'zones: [heros, rail, rail]' },
    problems: [
      'unknown-zone 15:19 error: page `home` names a zone `heros` that `zones` does not define; did you mean `hero`?',
      'repeated-value 15:32 error: `zones` of page `home` names `rail` twice: keep one of them',
    ],
  },
  {
    name: 'a page deadline that would be clamped',
    change: { 'home: { zones': 'home: { deadlineMs: 900, zones' },
    problems: [
      'deadline-out-of-bounds 15:23 warning: `deadlineMs` of page `home` will be clamped: write a number from 5 to 500, the bounds of `deadline`',
    ],
  },
  {
    name: 'a ladder that climbs',
    change: {
      'tier: user\n        choose:\n          - { when: \'profile.loyalty == "gold"\', variant: gold }\n      - tier: segment\n        choose:\n          - { when: \'request.country == "DE"\', variant: plain }':
        'tier: segment\n        variant: plain\n      - tier: user\n        variant: gold',
    },
    problems: [
      'ladder-order 22:15 error: zone `hero` has its user rung below its segment rung: a ladder goes down from user over session and segment to anonymous',
    ],
  },
  {
    name: 'one tier twice',
    change: { 'tier: segment': 'tier: user' },
    problems: ['ladder-order 23:15 error: zone `hero` has two user rungs: put their rules into one'],
  },
  {
    name: 'no anonymous rung',
    change: { '      - { tier: anonymous, variant: plain, approved: { by: Brand, on: 2026-11-01, until: 2027-11-01 } }\n': '' },
    problems: [
      "ladder-without-anonymous 32:7 error: zone `rail` has no anonymous rung: end its ladder with `- { tier: anonymous, variant: <id>, approved: { by: '<role>', on: <date>, until: <date> } }`",
    ],
  },
  {
    name: 'an anonymous rung that chooses',
    change: {
      'variant: plain\n        approved: { by: Brand, on: 2026-11-01, until: 2027-11-01 }':
        'choose: [ { variant: plain } ]\n        approved: { by: Brand, on: 2026-11-01, until: 2027-11-01 }',
    },
    problems: [
      'anonymous-not-fixed 27:9 error: the anonymous rung of zone `hero` must be one fixed experience: write `variant: <id>` instead of `choose`',
    ],
  },
  {
    name: 'an anonymous rung without approval',
    change: { '\n        approved: { by: Brand, on: 2026-11-01, until: 2027-11-01 }': '' },
    problems: [
      "approval-missing 26:9 error: the anonymous rung of zone `hero` is not approved: write `approved: { by: '<role>', on: <date>, until: <date> }`",
    ],
  },
  {
    name: 'an approval that has expired',
    change: { 'until: 2027-11-01': 'until: 2026-11-02' },
    problems: [
      'approval-expired 28:55 error: the approval of the anonymous rung of zone `hero` has expired: have it approved again and write the new `on` and `until`',
    ],
  },
  {
    name: 'an approval until a day that does not exist',
    change: { 'until: 2027-11-01': 'until: 2027-02-29' },
    problems: [
      'invalid-date 28:55 error: `until` of the approval of the anonymous rung of zone `hero` must be a date, not `2027-02-29`: write 2026-11-01 (midnight UTC) or 2026-11-01T08:30:00Z',
    ],
  },
  {
    name: 'an approval that nobody gave yet',
    change: { 'on: 2026-11-01': 'on: 2027-01-01' },
    problems: [
      'approval-not-yet 28:36 warning: the approval of the anonymous rung of zone `hero` begins in the future: write the day on which it was given',
    ],
  },
  {
    name: 'an approval without its parts',
    change: { 'by: Brand, on: 2026-11-01, until: 2027-11-01': 'on: 2026-11-01' },
    problems: [
      "missing-field 28:19 error: the approval of the anonymous rung of zone `hero` needs `by`: write `by: '<role or name>'`",
      'missing-field 28:19 error: the approval of the anonymous rung of zone `hero` needs `until`: write `until: <date>`',
    ],
  },
  {
    name: 'an anonymous variant of class S2',
    change: {
      'variant: plain\n        approved: { by: Brand, on: 2026-11-01, until: 2027-11-01 }':
        'variant: v-1\n        approved: { by: Brand, on: 2026-11-01, until: 2027-11-01 }',
    },
    problems: [
      'anonymous-sensitive 27:18 error: the anonymous rung of zone `hero` shows variant `v-1` of class S2 to everybody: name a variant of class S0 or S1',
    ],
  },
  ...[
    'null',
    "''",
    "' '",
    '{}',
    '[]',
    '"\\u200b"',
    '"\\u3164"',
    '{ headline: "" }',
    '{ headline: " ", items: [null, { title: "\\u2800" }] }',
  ].map((content) => ({
    name: `an anonymous variant that holds ${content}`,
    change: { '{ content: { headline: Plain } }': `{ content: ${content} }` },
    problems: [
      'anonymous-empty 27:18 warning: the anonymous rung of zone `hero` shows variant `plain` to everybody, and there is nothing in it: write the content that the place shows when nothing better may be shown',
      'anonymous-empty 34:37 warning: the anonymous rung of zone `rail` shows variant `plain` to everybody, and there is nothing in it: write the content that the place shows when nothing better may be shown',
    ],
  })),
  ...['0', 'false', '{ items: [] , more: 0 }', '"\\u200b!"'].map((content) => ({
    name: `an anonymous variant of which ${content} is seen`,
    change: { '{ content: { headline: Plain } }': `{ content: ${content} }` },
    problems: [],
  })),
  {
    name: 'an anonymous variant that was given no content',
    change: { 'plain: { content: { headline: Plain } }': 'plain: {}' },
    problems: ['missing-field 37:10 error: variant `plain` needs `content`: write `content: { … }`'],
  },
  {
    name: 'a rung that selects in two ways',
    change: { 'arbitrate: { tag: rail }': 'arbitrate: { tag: rail }\n        variant: plain' },
    problems: [
      'rung-selection 32:9 error: the user rung of zone `rail` has `arbitrate`, `variant`: write exactly one of `choose`, `arbitrate`, `variant`',
    ],
  },
  {
    name: 'a rung that selects nothing',
    change: { '\n        arbitrate: { tag: rail }': '' },
    problems: [
      'rung-selection 32:9 error: the user rung of zone `rail` selects nothing: write exactly one of `choose`, `arbitrate`, `variant`',
      'tag-unselected 40:12 warning: no rung selects tag `rail` of offer `ring`: write `arbitrate: { tag: rail }` on a rung, or remove the tag',
    ],
  },
  {
    name: 'a rule behind one without a condition',
    change: {
      '- { when: \'profile.loyalty == "gold"\', variant: gold }':
        '- { variant: gold }\n          - { when: \'profile.loyalty == "gold"\', variant: gold }',
    },
    problems: [
      'rule-unreachable 23:13 error: rule 2 of the user rung of zone `hero` can never apply, since a rule before it applies to everybody: move that one to the end',
    ],
  },
  {
    name: 'a rule behind one whose condition is always true',
    change: {
      '- { when: \'profile.loyalty == "gold"\', variant: gold }':
        "- { when: '1 == 1', variant: gold }\n          - { when: 'profile.loyalty == \"gold\"', variant: gold }",
    },
    problems: [
      'condition-constant 22:21 warning: `when` of rule 1 of the user rung of zone `hero` is always true: leave `when` out to say so',
      'rule-unreachable 23:13 error: rule 2 of the user rung of zone `hero` can never apply, since a rule before it applies to everybody: move that one to the end',
    ],
  },
  {
    name: 'a variant that nobody defines',
    change: { '"gold"\', variant: gold': '"gold"\', variant: gould' },
    problems: [
      'unknown-variant 22:59 error: rule 1 of the user rung of zone `hero` names a variant `gould` that `variants` does not define; did you mean `gold`?',
    ],
  },
  {
    name: 'content nested too deep',
    change: {
      'headline: Gold':
        'headline: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]',
    },
    problems: ['document-too-deep 36:92 error: this is nested too deep: stay within 64 levels'],
  },
  {
    name: 'a version of YAML nobody asked for',
    change: { 'stepwell: 1': '%YAML 1.1\n---\nstepwell: 1' },
    problems: ['yaml-version 1:1 error: the document asks for another version of YAML: write `%YAML 1.2` or leave the directive out'],
  },
  {
    name: 'two documents',
    change: { 'pages:\n': '---\npages:\n' },
    problems: [
      'syntax 14:1 error: this is not YAML 1.2 or JSON: a policy is one document, so remove the `---` and what does not belong to it',
    ],
  },
  {
    name: 'a tag of YAML',
    change: { 'headline: Gold': 'headline: !secret Gold' },
    problems: ['syntax 36:32 error: this is not YAML 1.2 or JSON: tags with `!` are not part of a policy, so leave this one out'],
  },
  {
    name: 'a zone of a category that is not enabled',
    change: { 'kind: content': 'kind: content\n    class: S3\n    category: faith' },
    problems: [
      telling(17, 3, 'a zone', 'S3', 'z-31'),
      'class-not-enabled 19:5 warning: zone `hero` is of category `faith`, which the policy does not enable: write it under `sensitive.S3.categories`',
    ],
  },
  {
    name: 'text where a switch belongs',
    change: { 'enabled: true': 'enabled: "yes"' },
    problems: ['wrong-type 13:29 error: `enabled` of `sensitive.S3` must be true or false, not text'],
  },
  {
    name: 'a number where text belongs',
    change: { 'by: Brand': 'by: 7' },
    problems: [
      'wrong-type 28:25 error: `by` of the approval of the anonymous rung of zone `hero` must be text, not a number: write "7" in quotes',
    ],
  },
  {
    name: 'a name with a space',
    change: { '  gold: {': '  gold one: {' },
    problems: [
      'unknown-variant 22:59 error: rule 1 of the user rung of zone `hero` names a variant `gold` that `variants` does not define; write one of `plain`, `v-1`',
      'invalid-name 36:3 error: a variant cannot be named `gold one`: start with a letter, then up to 63 letters, digits, `_`, `.` or `-`',
      'unknown-variant 43:14 error: offer `ring` names a variant `gold` that `variants` does not define; write one of `plain`, `v-1`',
    ],
  },
  {
    name: 'a variant without content',
    change: { 'gold: { content: { headline: Gold } }': 'gold: {}' },
    problems: ['missing-field 36:9 error: variant `gold` needs `content`: write `content: { … }`'],
  },
  {
    name: 'a tag that no offer carries',
    change: { 'arbitrate: { tag: rail }': 'arbitrate: { tag: rails }' },
    problems: [
      'unknown-tag 33:27 warning: the user rung of zone `rail` selects tag `rails`, which no offer carries; did you mean `rail`?',
      'tag-unselected 41:12 warning: no rung selects tag `rail` of offer `ring`: did you mean `rails`?',
    ],
  },
  {
    name: 'an offer selected only below what it reads',
    change: {
      'tier: user\n        arbitrate': 'tier: segment\n        arbitrate',
      'value: 10': 'value: 10\n    when: profile.loyalty == "gold"',
    },
    problems: [
      'offer-never-reached 41:12 error: offer `ring` reads what only a user rung may, and its tags are selected no higher than on a segment rung: select one of its tags on a user rung, or let it read less',
    ],
  },
  {
    name: 'an offer whose context reads more than its rung may',
    change: {
      'tier: user\n        arbitrate': 'tier: segment\n        arbitrate',
      'value: 10': 'value: 10\n    context: [ { when: session.pages > 3, perMille: 1200 } ]',
    },
    problems: [
      'offer-never-reached 41:12 error: offer `ring` reads what only a session rung may, and its tags are selected no higher than on a segment rung: select one of its tags on a session rung, or let it read less',
    ],
  },
  {
    name: 'numbers of an offer out of bounds',
    change: {
      'propensityPpm: 1000\n    value: 10':
        'propensityPpm: 1000001\n    value: 1.5\n    context: [ { when: "request.device == \\"mobile\\"", perMille: 100001 } ]\n    levers: { margin: high }',
    },
    problems: [
      'out-of-bounds 44:20 error: `propensityPpm` of offer `ring` is 1000001: write a whole number from 0 to 1000000',
      'out-of-bounds 45:12 error: `value` of offer `ring` is 1.5: write a whole number from 0 to 1000000',
      'out-of-bounds 46:66 error: `perMille` of a context factor of offer `ring` is 100001: write a whole number from 0 to 100000',
      'wrong-type 47:23 error: lever `margin` of offer `ring` must be a whole number from -100000 to 100000, not text',
    ],
  },
  {
    name: 'an offer without its numbers',
    change: { '\n    propensityPpm: 1000\n    value: 10': '' },
    problems: [
      'missing-field 41:5 error: offer `ring` needs `propensityPpm`: write `propensityPpm: <0 to 1000000>`',
      'missing-field 41:5 error: offer `ring` needs `value`: write `value: <0 to 1000000>`',
    ],
  },
  {
    name: 'an offer that ends before it begins',
    change: { 'value: 10': 'value: 10\n    from: 2026-12-01\n    until: 2026-11-01' },
    problems: ['invalid-date 47:12 error: offer `ring` ends before it begins: write an `until` after its `from`'],
  },
  {
    name: 'an offer without a class',
    change: { '\n    class: S1\n    variant': '\n    variant' },
    problems: [
      'class-not-enabled 41:5 warning: offer `ring` declares no class, so it counts as S3 and is never eligible: write `class: S1`',
    ],
  },
  {
    name: 'an offer of a category that is not enabled',
    change: { 'class: S1\n    variant': 'class: S3\n    category: faith\n    variant' },
    problems: [
      telling(40, 3, 'an offer', 'S3', 'o-31'),
      'class-not-enabled 40:3 warning: offer `ring` is of category `faith`, which the policy does not enable: write it under `sensitive.S3.categories`',
    ],
  },
  {
    name: 'a rule that reads what nobody labelled',
    change: user('\'profile.note == "x"\''),
    problems: [
      'class-not-enabled 22:13 warning: rule 1 of the user rung of zone `hero` is of class S3 without a category, by what it reads or declares, and is never eligible: label what it reads with a class',
    ],
  },
  {
    name: 'a zone, a rule and an offer of class S2 are fine',
    change: {
      'kind: content': 'kind: content\n    class: S2',
      [W]: "'profile.x_1'",
      'class: S1\n    variant': 'class: S2\n    variant',
      'zones: [hero, rail]': 'zones: [z-1, rail]',
      'hero:': 'z-1:',
      'ring:': 'o-1:',
      'variant: gold }': 'variant: v-1 }',
      'variant: gold\n': 'variant: v-1\n',
    },
    problems: [],
  },
  {
    name: 'ids of what is sensitive that say in words what it is about',
    change: {
      'x_2: { type: int': 'income: { type: int',
      'lapsed: { class: S1 }': 'in_debt: { class: S2 }, g-1: { class: S2 }',
      'kind: content': 'kind: content\n    class: S2',
      'v-1: {': 'loan: {',
      'ring:': 'credit:',
      'class: S1\n    variant': 'class: S2\n    variant',
    },
    problems: [
      telling(10, 5, 'a profile attribute', 'S2', 'a_31'),
      telling(12, 14, 'an audience', 'S2', 'g-31'),
      telling(17, 3, 'a zone', 'S2', 'z-31'),
      telling(37, 3, 'a variant', 'S2', 'v-31'),
      telling(39, 3, 'a variant', 'S2', 'v-31'),
      telling(41, 3, 'an offer', 'S2', 'o-31'),
    ],
  },
  {
    name: 'an id of what is special by what it reads',
    change: { [W]: "'profile.x_1'", 'variant: gold\n': 'variant: plain\n' },
    problems: [telling(36, 3, 'a variant', 'S3', 'v-31')],
  },
  {
    name: 'a category that the policy does not enable',
    change: { 'categories: [health]': 'categories: [faith]', '\'profile.loyalty == "gold"\'': "'profile.x_1'" },
    problems: [
      'class-not-enabled 22:13 warning: rule 1 of the user rung of zone `hero` is of category `health`, which the policy does not enable: write it under `sensitive.S3.categories`',
    ],
  },
  {
    name: 'a class that only the user rung may show',
    change: { '\'request.country == "DE"\', variant: plain': '\'request.country == "DE"\', variant: plain, class: S2' },
    problems: [
      'class-above-rung 25:13 warning: rule 1 of the segment rung of zone `hero` is of class S2, which only the user rung may show: move it there',
    ],
  },
  {
    name: 'a profile attribute on the segment rung',
    change: segment('\'profile.loyalty == "gold"\''),
    problems: [
      'rung-reads-too-much 25:21 error: rule 1 of the segment rung of zone `hero` reads `profile.loyalty`, which a segment rung may not: move the rule to the user rung',
    ],
  },
  {
    name: 'a session attribute on the segment rung',
    change: segment("'session.pages > 3'"),
    problems: [
      'rung-reads-too-much 25:21 error: rule 1 of the segment rung of zone `hero` reads `session.pages`, which a segment rung may not: move the rule to the session rung',
    ],
  },
  {
    name: 'a personal audience on the segment rung',
    change: segment('\'"lapsed" in audiences\''),
    problems: [
      'rung-reads-too-much 25:21 error: rule 1 of the segment rung of zone `hero` reads `"lapsed" in audiences`, which a segment rung may not: move the rule to the user rung',
    ],
  },
  { name: 'an edge audience on the segment rung is fine', change: segment('\'"newsletter" in audiences\''), problems: [] },
  {
    name: 'the whole list of audiences on the segment rung',
    change: segment("'size(audiences) > 1'"),
    problems: [
      'rung-reads-too-much 25:21 error: rule 1 of the segment rung of zone `hero` reads `"lapsed" in audiences`, which a segment rung may not: move the rule to the user rung',
    ],
  },
  {
    name: 'has() of the profile on the segment rung',
    change: segment("'has(profile.loyalty)'"),
    problems: [
      'rung-reads-too-much 25:21 error: rule 1 of the segment rung of zone `hero` reads `profile.loyalty`, which a segment rung may not: move the rule to the user rung',
    ],
  },
  {
    name: 'a misspelt attribute',
    change: user('\'profile.loyality == "gold"\''),
    problems: [
      'unknown-attribute 22:30 error: in `when` of rule 1 of the user rung of zone `hero`, no attribute `loyality` is declared under `attributes.profile`; did you mean `loyalty`?',
    ],
  },
  {
    name: 'an attribute of another source',
    change: user('\'profile.country == "DE"\''),
    problems: [
      'unknown-attribute 22:30 error: in `when` of rule 1 of the user rung of zone `hero`, no attribute `country` is declared under `attributes.profile`; did you mean `request.country`?',
    ],
  },
  {
    name: 'an attribute without its source',
    change: user('\'loyalty == "gold"\''),
    problems: [
      'unknown-attribute 22:22 error: in `when` of rule 1 of the user rung of zone `hero`, `loyalty` lacks its source: write `profile.loyalty`',
    ],
  },
  {
    name: 'a misspelt source',
    change: user('\'profil.loyalty == "gold"\''),
    problems: [
      'unknown-attribute 22:22 error: in `when` of rule 1 of the user rung of zone `hero`, there is no source `profil`; did you mean `profile`?',
    ],
  },
  {
    name: 'a misspelt audience',
    change: user('\'"lapst" in audiences\''),
    problems: [
      'unknown-audience 22:22 error: in `when` of rule 1 of the user rung of zone `hero`, no audience `lapst` is declared under `audiences`; did you mean `lapsed`?',
    ],
  },
  {
    name: 'a value outside values',
    change: user('\'profile.loyalty == "silver"\''),
    problems: [
      'value-not-allowed 22:41 error: in `when` of rule 1 of the user rung of zone `hero`, `silver` is never a value of this attribute: write one of `none`, `gold`',
    ],
  },
  {
    name: 'values outside values, in a list',
    change: user('\'profile.loyalty in ["gold", "silver", "bronze"]\''),
    problems: [
      'value-not-allowed 22:50 error: in `when` of rule 1 of the user rung of zone `hero`, `silver` is never a value of this attribute: write one of `none`, `gold`',
      'value-not-allowed 22:60 error: in `when` of rule 1 of the user rung of zone `hero`, `bronze` is never a value of this attribute: write one of `none`, `gold`',
    ],
  },
  {
    name: 'a type error',
    change: user('\'session.pages == "3"\''),
    problems: [
      'expression-type 22:39 error: in `when` of rule 1 of the user rung of zone `hero`, `==` compares values of one type: the left is a whole number, the right text',
    ],
  },
  {
    name: 'a condition that is no truth',
    change: user("'session.pages + 1'"),
    problems: [
      'expression-type 22:22 error: in `when` of rule 1 of the user rung of zone `hero`, a condition must be true or false and this is a whole number: compare it with something',
    ],
  },
  {
    name: 'a regular expression',
    change: user('\'profile.loyalty.matches("g.*")\''),
    problems: [
      'expression-unsupported 22:38 error: in `when` of rule 1 of the user rung of zone `hero`, `matches` is not supported: backtracking regular expressions can stall the service: write `startsWith`, `endsWith`, `contains` or `in`',
    ],
  },
  {
    name: 'a number with a fraction',
    change: user("'session.pages > 1.5'"),
    problems: [
      'expression-unsupported 22:38 error: in `when` of rule 1 of the user rung of zone `hero`, numbers with a fraction are not supported: write scaled integers, such as cents for money',
    ],
  },
  {
    name: 'a number too large',
    change: user("'session.pages > 9007199254740992'"),
    problems: [
      'integer-out-of-bounds 22:38 error: in `when` of rule 1 of the user rung of zone `hero`, whole numbers go from -9007199254740991 to 9007199254740991: write one of them',
    ],
  },
  {
    name: 'null',
    change: user("'profile.loyalty == null'"),
    problems: [
      'expression-unsupported 22:41 error: in `when` of rule 1 of the user rung of zone `hero`, null is not supported: write `has(profile.<attribute>)` to ask whether it is there',
    ],
  },
  {
    name: 'joined texts',
    change: user('\'profile.loyalty + "x" == "goldx"\''),
    problems: [
      'expression-unsupported 22:22 error: in `when` of rule 1 of the user rung of zone `hero`, texts and lists are not joined here: compare each part, or declare the joined value as an attribute',
    ],
  },
  {
    name: 'one = for a comparison',
    change: user('\'profile.loyalty = "gold"\''),
    problems: [
      'expression-syntax 22:38 error: in `when` of rule 1 of the user rung of zone `hero`, this is not a CEL expression: write `==` to compare',
    ],
  },
  {
    name: 'the word and',
    change: user("'session.pages > 1 and session.pages < 3'"),
    problems: [
      'expression-syntax 22:40 error: in `when` of rule 1 of the user rung of zone `hero`, this is not a CEL expression: write `&&` for "and"',
    ],
  },
  {
    name: 'an expression that ends too soon',
    change: user("'session.pages >'"),
    problems: [
      'expression-syntax 22:37 error: in `when` of rule 1 of the user rung of zone `hero`, this is not a CEL expression: it ends too soon',
    ],
  },
  {
    name: 'two mistakes in one expression',
    change: user('\'profile.loyality == "gold" || session.page > 3\''),
    problems: [
      'unknown-attribute 22:30 error: in `when` of rule 1 of the user rung of zone `hero`, no attribute `loyality` is declared under `attributes.profile`; did you mean `loyalty`?',
      'unknown-attribute 22:60 error: in `when` of rule 1 of the user rung of zone `hero`, no attribute `page` is declared under `attributes.session`; did you mean `pages`?',
    ],
  },
  {
    name: 'a place behind an escaped quote',
    change: user('"profile.loyalty == \\"gold\\" && nobody"'),
    problems: [
      'unknown-attribute 22:53 error: in `when` of rule 1 of the user rung of zone `hero`, there is no name `nobody`; write one of `request`, `session`, `profile`, `device`, `audiences`, `now`',
    ],
  },
  {
    name: 'a place behind a doubled quote',
    change: user("'profile.loyalty == ''gold'' && nobody'"),
    problems: [
      'unknown-attribute 22:53 error: in `when` of rule 1 of the user rung of zone `hero`, there is no name `nobody`; write one of `request`, `session`, `profile`, `device`, `audiences`, `now`',
    ],
  },
  {
    name: 'a place in a block of lines',
    change: {
      '- { when: \'profile.loyalty == "gold"\', variant: gold }':
        '- variant: gold\n            when: |\n              profile.loyalty == "gold" &&\n                nobody',
    },
    problems: [
      'unknown-attribute 25:17 error: in `when` of rule 1 of the user rung of zone `hero`, there is no name `nobody`; write one of `request`, `session`, `profile`, `device`, `audiences`, `now`',
    ],
  },
  {
    name: 'always true',
    change: user("'1 == 1'"),
    problems: [
      'condition-constant 22:21 warning: `when` of rule 1 of the user rung of zone `hero` is always true: leave `when` out to say so',
    ],
  },
  {
    name: 'always false whatever is known',
    change: user('\'false && profile.loyalty == "gold"\''),
    problems: [
      'condition-constant 22:21 warning: `when` of rule 1 of the user rung of zone `hero` is always false: remove it, or compare with something that can hold',
    ],
  },
  {
    name: 'a division by zero',
    change: user("'session.pages / 0 == 1'"),
    problems: [
      'division-by-zero 22:38 warning: in `when` of rule 1 of the user rung of zone `hero`, nothing can be divided by 0, so this is never known: write another divisor',
    ],
  },
  {
    name: 'a function that does not exist',
    change: user('\'lower(profile.loyalty) == "gold"\''),
    problems: [
      'expression-unsupported 22:22 error: in `when` of rule 1 of the user rung of zone `hero`, there is no function `lower`; write one of `has`, `size`, `timestamp`, `duration`',
    ],
  },
  {
    name: 'a method that does not exist',
    change: user('\'profile.loyalty.startWith("g")\''),
    problems: [
      'expression-unsupported 22:38 error: in `when` of rule 1 of the user rung of zone `hero`, there is no function `startWith`; did you mean `startsWith`?',
    ],
  },
  {
    name: 'a list that is asked to contain',
    change: user('\'profile.interests.contains("golf")\''),
    problems: ['expression-type 22:22 error: in `when` of rule 1 of the user rung of zone `hero`, to look in a list, write `"…" in list`'],
  },
  {
    name: 'a macro that names its item badly',
    change: user('\'profile.interests.exists(now, now == "golf")\''),
    problems: [
      'expression-type 22:47 error: in `when` of rule 1 of the user rung of zone `hero`, `now` has a meaning already: choose another name for the item',
    ],
  },
  {
    name: 'a time that is none',
    change: user('\'session.seen_at > timestamp("yesterday")\''),
    problems: [
      'expression-type 22:50 error: in `when` of rule 1 of the user rung of zone `hero`, timestamp() takes a literal text of whole milliseconds: write `timestamp("2026-11-01T00:00:00Z")`',
    ],
  },
  {
    name: 'a duration in days',
    change: user('\'now - session.seen_at > duration("3d")\''),
    problems: [
      'expression-type 22:55 error: in `when` of rule 1 of the user rung of zone `hero`, duration() takes a literal text of whole milliseconds: write `duration("36h")`, with h, m, s or ms',
    ],
  },
  {
    name: 'an expression nested too deep',
    change: user(
      "'((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((session.pages > 1)))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))) && -(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(-(session.pages)))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))) > 1'",
    ),
    problems: [
      'expression-too-large 22:307 error: in `when` of rule 1 of the user rung of zone `hero`, a condition may nest 64 levels deep: split it into several rules',
    ],
  },
  {
    name: 'a rule for the device is fine',
    change: {
      'attributes:\n': 'attributes:\n  device: { recent: { type: strings, class: S1 }, visits: { type: int, class: S0 } }\n',
      '      - tier: segment\n':
        '      - tier: session\n        choose:\n          - { when: \'"shoes" in device.recent && device.visits > 2\', variant: gold, device: true }\n      - tier: segment\n',
    },
    problems: [],
  },
  {
    name: 'a mark on what a server decides too is fine',
    change: { '\'request.country == "DE"\', variant: plain }': '\'request.country == "DE"\', variant: plain, device: true }' },
    problems: [],
  },
  {
    name: 'a mark that says no is none',
    change: { '\'request.country == "DE"\', variant: plain }': '\'request.country == "DE"\', variant: plain, device: false }' },
    problems: [],
  },
  {
    name: 'a mark that is no truth',
    change: { '\'request.country == "DE"\', variant: plain }': '\'request.country == "DE"\', variant: plain, device: yes please }' },
    problems: ['wrong-type 25:72 error: `device` of rule 1 of the segment rung of zone `hero` must be true or false, not text'],
  },
  {
    name: 'a rule that only a device can decide, without the mark',
    change: {
      'attributes:\n': 'attributes:\n  device: { recent: { type: strings, class: S1 }, visits: { type: int, class: S0 } }\n',
      '      - tier: segment\n':
        "      - tier: session\n        choose:\n          - { when: 'device.visits > 2', variant: gold }\n      - tier: segment\n",
    },
    problems: [
      'device-unmarked 26:21 error: rule 1 of the session rung of zone `hero` reads `device.visits`, which only a device knows: write `device: true` beside it, or let it read less',
    ],
  },
  {
    name: 'a rule that only a device can decide, on a segment rung',
    change: {
      'attributes:\n': 'attributes:\n  device: { recent: { type: strings, class: S1 }, visits: { type: int, class: S0 } }\n',
      '\'request.country == "DE"\', variant: plain }': "'device.visits > 2', variant: plain, device: true }",
    },
    problems: [
      'rung-reads-too-much 26:21 error: rule 1 of the segment rung of zone `hero` reads `device.visits`, which a segment rung may not: move the rule to the session rung',
    ],
  },
  {
    name: 'a rule that only a device can decide, on a user rung',
    change: {
      'attributes:\n': 'attributes:\n  device: { recent: { type: strings, class: S1 }, visits: { type: int, class: S0 } }\n',
      '\'profile.loyalty == "gold"\', variant: gold }': "'has(device.recent)', variant: gold, device: true }",
    },
    problems: [
      'rung-reads-too-much 23:21 error: rule 1 of the user rung of zone `hero` reads `device.recent`, which a user rung may not: move the rule to the session rung',
      'device-not-allowed 23:58 error: rule 1 of the user rung of zone `hero` is marked `device: true` and stands on a user rung, which no device decides: move it to the session or the segment rung, or leave the mark out',
    ],
  },
  {
    name: 'a rule for the device that reads the profile',
    change: { '\'profile.loyalty == "gold"\', variant: gold }': '\'profile.loyalty == "gold"\', variant: gold, device: true }' },
    problems: [
      'device-not-allowed 22:65 error: rule 1 of the user rung of zone `hero` is marked `device: true` and reads `profile.loyalty`, which no device is told: read `device.<attribute>`, declared under `attributes.device`, or leave the mark out',
    ],
  },
  {
    name: 'a rule for the device that stands on a user rung',
    change: { '\'profile.loyalty == "gold"\', variant: gold }': '\'request.country == "DE"\', variant: gold, device: true }' },
    problems: [
      'device-not-allowed 22:63 error: rule 1 of the user rung of zone `hero` is marked `device: true` and stands on a user rung, which no device decides: move it to the session or the segment rung, or leave the mark out',
    ],
  },
  {
    name: 'a rule for the device that reads the session',
    change: {
      'attributes:\n': 'attributes:\n  device: { recent: { type: strings, class: S1 }, visits: { type: int, class: S0 } }\n',
      '      - tier: segment\n':
        "      - tier: session\n        choose:\n          - { when: 'session.pages > 2 && device.visits > 2', variant: gold, device: true }\n      - tier: segment\n",
    },
    problems: [
      'device-not-allowed 26:78 error: rule 1 of the session rung of zone `hero` is marked `device: true` and reads `session.pages`, which no device is told: read `device.<attribute>`, declared under `attributes.device`, or leave the mark out',
    ],
  },
  {
    name: 'a rule for the device that reads memberships',
    change: {
      'attributes:\n': 'attributes:\n  device: { recent: { type: strings, class: S1 }, visits: { type: int, class: S0 } }\n',
      '      - tier: segment\n':
        '      - tier: session\n        choose:\n          - { when: \'"lapsed" in audiences\', variant: gold, device: true }\n      - tier: segment\n',
    },
    problems: [
      'rung-reads-too-much 26:21 error: rule 1 of the session rung of zone `hero` reads `"lapsed" in audiences`, which a session rung may not: move the rule to the user rung',
      'device-not-allowed 26:61 error: rule 1 of the session rung of zone `hero` is marked `device: true` and reads `"lapsed" in audiences`, which no device is told: read `device.<attribute>`, declared under `attributes.device`, or leave the mark out',
    ],
  },
  {
    name: 'a rule for the device that reads an audience of the edge is fine',
    change: {
      'attributes:\n': 'attributes:\n  device: { recent: { type: strings, class: S1 }, visits: { type: int, class: S0 } }\n',
      '      - tier: segment\n':
        '      - tier: session\n        choose:\n          - { when: \'"newsletter" in audiences\', variant: gold, device: true }\n      - tier: segment\n',
    },
    problems: [],
  },
  {
    name: 'a rule for the device that shows what is sensitive',
    change: {
      'attributes:\n': 'attributes:\n  device: { recent: { type: strings, class: S1 }, visits: { type: int, class: S0 } }\n',
      '      - tier: segment\n':
        "      - tier: session\n        choose:\n          - { when: 'device.visits > 2', variant: v-1, device: true }\n      - tier: segment\n",
    },
    problems: [
      'class-above-rung 26:13 warning: rule 1 of the session rung of zone `hero` is of class S2, which only the user rung may show: move it there',
      'device-not-allowed 26:56 error: rule 1 of the session rung of zone `hero` is marked `device: true` and is of class S2, by what it reads or by what it, its variant or its zone declares, and nothing above S1 goes to a device: write `class: S1` where that is true, or leave the mark out',
    ],
  },
  {
    name: 'a rule for the device in a zone that is sensitive',
    change: {
      'attributes:\n': 'attributes:\n  device: { recent: { type: strings, class: S1 }, visits: { type: int, class: S0 } }\n',
      '      - tier: segment\n':
        "      - tier: session\n        choose:\n          - { when: 'device.visits > 2', variant: gold, device: true }\n      - tier: segment\n",
      '    kind: content\n': '    kind: content\n    class: S2\n',
    },
    problems: [
      'id-not-opaque 18:3 warning: the id of a zone of class S2 looks like words, and ids reach more eyes than what they stand for: write one that tells nothing, such as `z-31`, and what it means in a comment',
      'device-not-allowed 27:57 error: rule 1 of the session rung of zone `hero` is marked `device: true` and is of class S2, by what it reads or by what it, its variant or its zone declares, and nothing above S1 goes to a device: write `class: S1` where that is true, or leave the mark out',
    ],
  },
  {
    name: 'a signal of a device that is sensitive, and one without a class',
    change: { 'attributes:\n': 'attributes:\n  device: { steps: { type: int, class: S2 }, recent: { type: strings } }\n' },
    problems: [
      'id-not-opaque 4:13 warning: the id of a device attribute of class S2 looks like words, and ids reach more eyes than what they stand for: write one that tells nothing, such as `a_31`, and what it means in a comment',
      'device-not-allowed 4:20 error: attribute `device.steps` is of class S2, and a device keeps nothing above S1: write `class: S1`, or leave it out',
      'device-not-allowed 4:54 error: attribute `device.recent` is of class S3, and a device keeps nothing above S1: write `class: S1`, or leave it out',
    ],
  },
  {
    name: 'a signal that nobody declared',
    change: {
      'attributes:\n': 'attributes:\n  device: { recent: { type: strings, class: S1 }, visits: { type: int, class: S0 } }\n',
      '      - tier: segment\n':
        "      - tier: session\n        choose:\n          - { when: 'device.recnt == []', variant: gold, device: true }\n      - tier: segment\n",
    },
    problems: [
      'unknown-attribute 26:29 error: in `when` of rule 1 of the session rung of zone `hero`, no attribute `recnt` is declared under `attributes.device`; did you mean `recent`?',
    ],
  },
  {
    name: 'a device as a whole',
    change: {
      'attributes:\n': 'attributes:\n  device: { recent: { type: strings, class: S1 }, visits: { type: int, class: S0 } }\n',
      '      - tier: segment\n':
        "      - tier: session\n        choose:\n          - { when: 'size(device) > 2', variant: gold, device: true }\n      - tier: segment\n",
    },
    problems: [
      'unknown-attribute 26:27 error: in `when` of rule 1 of the session rung of zone `hero`, `device` lacks its source: write `request.device`',
    ],
  },
  {
    name: 'an offer for the device that no rung of it selects',
    change: {
      'attributes:\n': 'attributes:\n  device: { recent: { type: strings, class: S1 }, visits: { type: int, class: S0 } }\n',
      '    class: S1\n    variant: gold\n': '    class: S1\n    device: true\n    variant: gold\n',
    },
    problems: [
      'device-unreached 42:12 warning: offer `ring` is marked `device: true`, and no rung that a device decides selects it: select one of its tags on a session or segment rung, or leave the mark out',
    ],
  },
  {
    name: 'an offer for the device that a model scores',
    change: {
      '    class: S1\n    variant: gold\n    propensityPpm: 1000\n':
        '    class: S1\n    device: true\n    variant: gold\n    propensityPpm: 1000\n    propensity: model\n',
      'pages:\n':
        'dependencies: { model: { source: http, url: "https://m.example/{subject}", map: { propensityPpm: response.p } } }\npages:\n',
    },
    problems: [
      'class-not-enabled 14:24 warning: dependency `model` declares no class, so every offer that asks it counts as S3 and is never eligible: write `class: S1`',
      'class-not-enabled 41:3 warning: offer `ring` is of class S3 without a category, by what it reads or declares, and is never eligible: label what it reads with a class',
      'device-unreached 42:12 warning: offer `ring` is marked `device: true`, and no rung that a device decides selects it: select one of its tags on a session or segment rung, or leave the mark out',
      'device-not-allowed 44:5 error: offer `ring` is marked `device: true` and has its propensity from a model, which no device is told: write `propensityPpm` alone, or leave the mark out',
    ],
  },
  {
    name: 'an offer for the device without a class',
    change: { '    class: S1\n    variant: gold\n': '    device: true\n    variant: gold\n' },
    problems: [
      'class-not-enabled 41:5 warning: offer `ring` declares no class, so it counts as S3 and is never eligible: write `class: S1`',
      'device-unreached 41:12 warning: offer `ring` is marked `device: true`, and no rung that a device decides selects it: select one of its tags on a session or segment rung, or leave the mark out',
      'device-not-allowed 42:5 error: offer `ring` is marked `device: true` and is of class S3, by what it reads or by what it, its variant or its zone declares, and nothing above S1 goes to a device: write `class: S1` where that is true, or leave the mark out',
    ],
  },
  {
    name: 'an offer that only a device can decide, selected on a user rung',
    change: {
      'attributes:\n': 'attributes:\n  device: { recent: { type: strings, class: S1 }, visits: { type: int, class: S0 } }\n',
      '    class: S1\n    variant: gold\n': "    class: S1\n    device: true\n    when: 'device.visits > 2'\n    variant: gold\n",
    },
    problems: [
      'offer-never-reached 42:12 error: offer `ring` reads what only a device knows, and its tags are selected on no session rung: select one of its tags on a session rung, or let it read less',
    ],
  },
  {
    name: 'an offer that only a device can decide, without the mark',
    change: {
      'attributes:\n': 'attributes:\n  device: { recent: { type: strings, class: S1 }, visits: { type: int, class: S0 } }\n',
      '    class: S1\n    variant: gold\n':
        "    class: S1\n    context: [ { when: 'device.visits > 2', perMille: 1200 } ]\n    variant: gold\n",
    },
    problems: [
      'device-unmarked 42:5 error: offer `ring` reads `device.visits`, which only a device knows: write `device: true` beside it, or let it read less',
    ],
  },
  {
    name: 'an offer for the device is fine',
    change: {
      'attributes:\n': 'attributes:\n  device: { recent: { type: strings, class: S1 }, visits: { type: int, class: S0 } }\n',
      '    class: S1\n    variant: gold\n': "    class: S1\n    device: true\n    when: 'device.visits > 2'\n    variant: gold\n",
      '      - tier: user\n        arbitrate: { tag: rail }\n': '      - tier: session\n        arbitrate: { tag: rail }\n',
    },
    problems: [],
  },
  {
    name: 'what devices are given, for longer than a week',
    change: { 'pages:\n': 'device: { enabled: perhaps, maxAgeHours: 169 }\npages:\n' },
    problems: [
      'wrong-type 14:20 error: `enabled` of `device` must be true or false, not text',
      'out-of-bounds 14:42 error: `maxAgeHours` of `device` is 169: write a whole number from 1 to 168',
    ],
  },
  {
    name: 'what devices are given is switched off',
    change: { 'pages:\n': 'device: { enabled: false }\npages:\n' },
    problems: [],
  },
];
