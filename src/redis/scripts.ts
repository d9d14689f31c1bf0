/**
 * The Lua that runs inside Redis, so that a read is one round trip and a write cannot slip past a tombstone.
 *
 * Where one node holds all, the read reaches a linked subject's keys by computing their names. In a cluster no script may, and none
 * does: each is asked about one slot only, and `cluster-read.ts` puts the answers together.
 */
import { createHash } from 'node:crypto';
import { personalUseCases } from '../decision/vocabulary.ts';
import {
  headerLength,
  headers,
  sharedWithinMs,
  stampedLength,
  stampLength,
  stampsFrom,
  unreadable,
  unsaid,
  versionedLength,
} from '../records/codec.ts';
import { consentKey, identityKey, presence, tagLength, tombstoneKey } from '../records/keys.ts';
import { linksPerSubjectMax, recordCharsMax } from '../records/limits.ts';
import type { AskedUseCase, Permission } from '../records/store.ts';
import { dayMs } from '../time/units.ts';
import type { Script } from './reply.ts';

export function script(lua: string): Script {
  return { lua, sha: createHash('sha1').update(lua).digest('hex'), isReadOnly: false };
}

export function readOnlyScript(lua: string): Script {
  return { ...script(lua), isReadOnly: true };
}

/** A key's name as a Lua expression over a variable that holds the tag. */
function luaKey(keyOf: (tag: string) => string, variable: string): string {
  return `'${keyOf(`' .. ${variable} .. '`)}'`;
}

/** Of a link's text, as a Lua expression: whom it names. */
function luaSubjectTag(variable: string): string {
  return `string.sub(${variable}, ${versionedLength + 1}, ${versionedLength + tagLength})`;
}

export const notToBeTouched = '-';

/**
 * In place of a record: it still has the version that the asker said it holds. INVARIANT: no script answers this for a record of which
 * the asker named no version, and none that somebody planted comes back as it.
 */
export const sameVersion = '=';

/** `get` answers a record's text; `getUnless` only where it does not begin with what the asker holds. */
const luaGet = `
local function get(key)
  local value = redis.pcall('GET', key)
  if type(value) == 'table' or (value and (#value > ${recordCharsMax * 4} or value == '${sameVersion}')) then return '${unreadable}' end
  return value
end

local function getUnless(key, held)
  if held ~= '' and redis.pcall('GETRANGE', key, 0, ${versionedLength - 1}) == held then return '${sameVersion}' end
  return get(key)
end
`;

/**
 * A permission as the read script takes it: the alternatives, each closed by a semicolon, then the two instants between which stored
 * grants count. A use case is two digits: its position, and whether the request grants it. Where granting it sets aside what was
 * denied before some day, that day follows.
 */
export function permissionText(permission: Permission | null): string {
  if (permission === null) return notToBeTouched;
  let text = '';
  for (const alternative of permission.alternatives) {
    for (const asked of alternative) text += askedText(asked);
    text += ';';
  }
  return `${text}|${permission.grantsCountFromMs}|${permission.grantsCountUntilMs}`;
}

const dayDigits = 8;
const grantedNot = '0';
const grantedByRequest = '1';
const grantedSinceDay = '2';

function askedText({ useCase, granted, supersedesBeforeMs }: AskedUseCase): string {
  const position = personalUseCases.indexOf(useCase);
  if (supersedesBeforeMs === null) return `${position}${granted ? grantedByRequest : grantedNot}`;
  return `${position}${grantedSinceDay}${`${Math.floor(supersedesBeforeMs / dayMs)}`.padStart(dayDigits, '0')}`;
}

/**
 * The read. KEYS: identity link, revoked token, session, tombstone, generation, consent, profile, the session's consent. ARGV: echo, subject's tag, device's
 * tag, whether consent is asked for, the token's generation, the permissions of the profile and of the session as `permissionText`
 * writes them, whether a token is to be looked up, the tag of a linked subject that is known already, and the versions of the link, the
 * profile and the session that the asker holds, empty where it holds none, the session's tag, and until when a hand-over of the device leaves the token proof. A key that ARGV does not ask about is not touched, whatever
 * its name.
 *
 * Answers: echo, link (of one that was known already, whether it stands), generation, revoked, consent, linked consent, whether the
 * profile might be read, profile, whether the session might be read, session, whether the subject is erased, whether the link's is, the session's
 * consent. In
 * place of a record of which the asker holds the version stands `sameVersion`. A value of another type or of an impossible size comes
 * back as the text that no decoder accepts; where consent hangs on such a value, nothing is allowed.
 * INVARIANT: it allows what `mayReadProfile` and `mayReadSession` allow; the contract suite compares them.
 */
export const readScript = readOnlyScript(`
local subject, device, ofProfile, ofSession = ARGV[2], ARGV[3], ARGV[6], ARGV[7]
local sessionTag = ARGV[13]
local consentAsked, asksProfile, asksSession = ARGV[4] == '1', ofProfile ~= '${notToBeTouched}', ofSession ~= '${notToBeTouched}'
${luaGet}
local link, linkedTag, sharedSince = device ~= '' and get(KEYS[1]), ARGV[9], 0
if link then
  if string.sub(link, 1, ${headerLength}) == '${headers.identity}' .. device then
    sharedSince = tonumber(string.sub(link, ${stampedLength - stampLength + 1}, ${stampedLength})) or math.huge
    linkedTag = string.sub(link, ${versionedLength + 1}, ${versionedLength + tagLength})
    if ARGV[10] ~= '' and string.sub(link, ${headerLength + 1}, ${versionedLength}) == ARGV[10] then link = '${sameVersion}' end
  else
    link = '${unreadable}'
  end
elseif linkedTag ~= '' then
  link = '${presence}'
end
local linkErased = linkedTag ~= '' and redis.call('EXISTS', ${luaKey(tombstoneKey, 'linkedTag')}) == 1
if linkErased then link, linkedTag = false, '' end

local erased, generation, consent = false, false, false
if subject ~= '' then
  erased = redis.call('EXISTS', KEYS[4]) == 1
  generation = get(KEYS[5])
  if consentAsked or asksProfile or asksSession then consent = get(KEYS[6]) end
  -- Looked for all the same: who was never seen takes no other time.
  if erased then consent = false end
end
local revoked = ARGV[8] == '1' and redis.call('EXISTS', KEYS[2]) == 1

local linkedToAnother = link and linkedTag ~= subject
local linkedConsent = false
if linkedTag ~= '' and linkedToAnother and (consentAsked or asksSession) then linkedConsent = get(${luaKey(consentKey, 'linkedTag')}) end

local sessionConsent = sessionTag ~= '' and get(KEYS[8])

local nothingSaid = '${unsaid.repeat(personalUseCases.length)}'
local function saidBy(record, tag)
  if not record then return nothingSaid, false end
  if string.sub(record, 1, ${headerLength}) ~= '${headers.consent}' .. tag then return nil end
  local said, at, grantedAt = string.match(string.sub(record, ${headerLength + 1}, ${headerLength + 64}), '^(${'[.udg]'.repeat(personalUseCases.length)})|(%-?%d+)|(%-?%d+)|')
  return said, tonumber(at), tonumber(grantedAt)
end

local own, recordedAt, grantedAt = saidBy(consent, subject)
local linked, linkedRecordedAt = saidBy(linkedConsent, linkedTag)
local visit, visitRecordedAt = saidBy(sessionConsent, sessionTag)
local readable = own and linked and visit and link ~= '${unreadable}' and (not generation or string.match(generation, '^%d+$'))
local proved = readable and subject ~= '' and not revoked and not linkedToAnother and not (link and sharedSince > tonumber(ARGV[14]))
  and (not generation or tonumber(generation) <= tonumber(ARGV[5]))
local denying = (not revoked or linkedTag == subject) and own or nothingSaid

local function grantsCount(permission)
  local first, last = string.match(permission, '|(.+)|(.+)$')
  return proved and grantedAt and grantedAt >= tonumber(first) and grantedAt <= tonumber(last)
end

local function denied(record, at, useCase, before)
  return string.sub(record, useCase, useCase) == 'd' and not (before and at < before)
end

local function holds(permission)
  local sub, all, at = string.sub, true, 1
  while true do
    local sign = sub(permission, at, at)
    if sign == '|' then return false end
    if sign == ';' then
      if all then return true end
      all, at = true, at + 1
    else
      local useCase, granted, before = sign + 1, sub(permission, at + 1, at + 1), nil
      if granted == '${grantedSinceDay}' then
        before = tonumber(sub(permission, at + 2, at + ${dayDigits} + 1)) * ${dayMs}
        at = at + ${dayDigits}
      end
      if denied(denying, recordedAt, useCase, before) or denied(linked, linkedRecordedAt, useCase, before)
        or denied(visit, visitRecordedAt, useCase, before) then all = false end
      if granted == '${grantedNot}' and not (sub(own, useCase, useCase) == 'g' and grantsCount(permission)) then all = false end
      at = at + 2
    end
  end
end

local mayReadProfile = asksProfile and proved and holds(ofProfile) or false
local mayReadSession = asksSession and readable and holds(ofSession) or false
local profile = mayReadProfile and getUnless(KEYS[7], ARGV[11] ~= '' and '${headers.profile}' .. subject .. ARGV[11] or '')
if erased then profile = false end
local session = mayReadSession and getUnless(KEYS[3], ARGV[12] ~= '' and '${headers.session}' .. sessionTag .. ARGV[12] or '')

return {
  ARGV[1], link, generation, revoked and '1', consent, linkedConsent, mayReadProfile and '1', profile, mayReadSession and '1', session, erased and '1', linkErased and '1', sessionConsent
}
`);

/**
 * KEYS: a record. ARGV: echo, with which words the one begins that the asker holds, empty where it holds none. Answers: echo, its text
 * or `sameVersion`.
 */
export const getScript = readOnlyScript(`${luaGet}
return { ARGV[1], getUnless(KEYS[1], ARGV[2]) }
`);

/** KEYS: a key whose existence says all. ARGV: echo. Answers: echo, whether it is there. */
export const existsScript = readOnlyScript(`
return { ARGV[1], redis.call('EXISTS', KEYS[1]) == 1 and '1' }
`);

/** KEYS: the denylist's entry. ARGV: its value, until when in ms. Can be made longer, never shorter: saying it again must not take it back. */
export const revokeScript = script(`
local time = redis.call('TIME')
local left = tonumber(ARGV[2]) - (tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000))
if left > 0 and left > redis.call('PTTL', KEYS[1]) then redis.call('SET', KEYS[1], ARGV[1], 'PX', left) end
return 1
`);

/**
 * KEYS: the record, the tombstone that forbids it where there is one, the index that has to know of it where it is a link. ARGV: text,
 * lifetime in ms, the link's name; of a link the text is stamped as `stampedIdentity` does it. 0 created, 1 replaced, 2 erased, 3 too
 * many links, of which those do not count that ended or name somebody else by now.
 */
export const putScript = script(`
if KEYS[2] and redis.call('EXISTS', KEYS[2]) == 1 then return 2 end
if KEYS[3] then
  if redis.call('SADD', KEYS[3], ARGV[3]) == 1 then
    local tags = redis.call('SMEMBERS', KEYS[3])
    if #tags > ${linksPerSubjectMax} then
      local standing, of = 0, ${luaSubjectTag('ARGV[1]')}
      for _, tag in ipairs(tags) do
        if tag ~= ARGV[3] then
          local text = redis.pcall('GET', ${luaKey(identityKey, 'tag')})
          if type(text) == 'string' and ${luaSubjectTag('text')} == of then standing = standing + 1 else redis.call('SREM', KEYS[3], tag) end
        end
      end
      if standing >= ${linksPerSubjectMax} then
        redis.call('SREM', KEYS[3], ARGV[3])
        return 3
      end
    end
  end
  if redis.call('PTTL', KEYS[3]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[3], ARGV[2]) end
end
local existed, text = redis.call('EXISTS', KEYS[1]), ARGV[1]
if ARGV[3] then
  local sub, time, before, shared = string.sub, redis.call('TIME'), redis.pcall('GET', KEYS[1]), '${'0'.repeat(stampLength)}'
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local stamp = string.format('%0${stampLength}.0f', now)
  if type(before) == 'string' and sub(before, 1, ${headerLength}) == sub(text, 1, ${headerLength}) then
    local written = tonumber(sub(before, ${stampsFrom + 1}, ${stampsFrom + stampLength})) or 0
    if sub(before, ${versionedLength + 1}, ${stampsFrom}) == sub(text, ${versionedLength + 1}, ${stampsFrom}) then
      shared = sub(before, ${stampsFrom + stampLength + 1}, ${stampedLength})
    elseif now - written <= ${sharedWithinMs} then
      shared = stamp
    end
  end
  text = sub(text, 1, ${stampsFrom}) .. stamp .. shared .. sub(text, ${stampedLength + 1})
end
redis.call('SET', KEYS[1], text, 'PX', ARGV[2])
return existed
`);

/**
 * What `putScript` does beside the record, where the record is another slot's. KEYS: index, tombstone. ARGV: the link's name, lifetime in
 * ms, how many names there may be. 1 it is there, 2 erased, 3 there are too many.
 */
export const indexScript = script(`
if redis.call('EXISTS', KEYS[2]) == 1 then return 2 end
if redis.call('SADD', KEYS[1], ARGV[1]) == 1 and #redis.call('SMEMBERS', KEYS[1]) > tonumber(ARGV[3]) then
  redis.call('SREM', KEYS[1], ARGV[1])
  return 3
end
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 1
`);

/** KEYS: a link. ARGV: how it begins, the tag of whom it has to name to be deleted. */
export const unlinkScript = script(`
local text = redis.pcall('GET', KEYS[1])
if type(text) ~= 'string' or string.sub(text, 1, ${headerLength}) ~= ARGV[1] then return 0 end
if ${luaSubjectTag('text')} ~= ARGV[2] then return 0 end
return redis.call('UNLINK', KEYS[1])
`);

/**
 * KEYS: a consent record, and the tombstone that forbids it. ARGV: the text it must still have, empty for none; the text to put in its
 * place; lifetime in ms. 0 created, 1 replaced, 2 erased, 3 another text by now. What is no text stands for none.
 */
export const replaceConsentScript = script(`
if redis.call('EXISTS', KEYS[2]) == 1 then return 2 end
local before = redis.pcall('GET', KEYS[1])
if type(before) == 'table' then before = false end
if (before or '') ~= ARGV[1] then return 3 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return before and 1 or 0
`);

/**
 * KEYS: the consent record of a session, what the session has learned. ARGV: as above, and whether what was learned goes. 1 done, 3
 * another text by now.
 */
export const withdrawInSessionScript = script(`
local before = redis.pcall('GET', KEYS[1])
if type(before) == 'table' then before = false end
if (before or '') ~= ARGV[1] then return 3 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
if ARGV[4] == '1' then redis.call('UNLINK', KEYS[2]) end
return 1
`);

/** KEYS: a consent record, tombstone. The text and the instant of its expiry, or null. What is no text comes back as no decoder takes it. */
export const getConsentScript = readOnlyScript(`${luaGet}
if redis.call('EXISTS', KEYS[2]) == 1 then return false end
local text, left = get(KEYS[1]), redis.call('PTTL', KEYS[1])
if not text or left == -2 then return false end
local now = redis.call('TIME')
return { text, string.format('%.0f', now[1] * 1000 + math.floor(now[2] / 1000) + left) }
`);

/** KEYS: profile, tombstone. The text and the instant of its expiry, or null. */
export const getProfileScript = readOnlyScript(`
if redis.call('EXISTS', KEYS[2]) == 1 then return false end
local text = redis.pcall('GET', KEYS[1])
if not text or type(text) == 'table' or #text > ${recordCharsMax * 4} then return false end
local left = redis.call('PTTL', KEYS[1])
if left < 0 then return false end
local now = redis.call('TIME')
return { text, string.format('%.0f', now[1] * 1000 + math.floor(now[2] / 1000) + left) }
`);

/** KEYS: the record. ARGV: the text it must still have, the text to put in its place. The expiry stays. */
export const replaceScript = script(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
return 1
`);

/** KEYS: the generation. ARGV: lifetime in ms. */
export const raiseScript = script(`
local raised = redis.call('INCR', KEYS[1])
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return raised
`);

/** KEYS: the secret of the names, or its fingerprint. ARGV: one to keep where there is none, lifetime in ms. Answers what is kept. */
export const agreeScript = script(`
local kept = redis.call('GET', KEYS[1])
if kept then return kept end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ARGV[1]
`);
