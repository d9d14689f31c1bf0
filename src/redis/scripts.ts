/**
 * The Lua that runs inside Redis, so that a read is one round trip and a write cannot slip past a tombstone.
 *
 * Scripts reach a linked subject's keys by computing their names, which a single node allows and a cluster would not.
 */
import { createHash } from 'node:crypto';
import { headerLength, headers, unreadable } from '../records/codec.ts';
import { consentKey, tagLength, tombstoneKey } from '../records/keys.ts';
import { recordCharsMax } from '../records/limits.ts';

export interface Script {
  readonly lua: string;
  readonly sha: string;
}

function script(lua: string): Script {
  return { lua, sha: createHash('sha1').update(lua).digest('hex') };
}

/** A key's name as a Lua expression over a variable that holds the tag. */
function luaKey(keyOf: (tag: string) => string, variable: string): string {
  return `'${keyOf(`' .. ${variable} .. '`)}'`;
}

/**
 * The read. KEYS: identity link, revoked token, session, tombstone, generation, consent, profile (empty where the plan names none).
 * ARGV: echo, subject's tag, device's tag, whether consent is asked for, the token's generation, the permission's alternatives
 * (four digits each: positions of select and activation, whether the request grants each; `-` for a profile not to be touched), and
 * the instant from which stored grants count.
 *
 * Answers: echo, link, generation, revoked, consent, linked consent, whether the profile might be read, profile, session.
 * A value of another type or of an impossible size comes back as the text that no decoder accepts.
 * INVARIANT: `allowed` says what `mayReadProfile` says; the contract suite compares them.
 */
export const readScript = script(`
local subject, device, alternatives = ARGV[2], ARGV[3], ARGV[6]
local consentAsked = ARGV[4] == '1'

local function get(key)
  if key == '' then return false end
  local value = redis.pcall('GET', key)
  if type(value) == 'table' or (value and #value > ${recordCharsMax * 4}) then return '${unreadable}' end
  return value
end

local link, linkedTag = get(KEYS[1]), ''
if link then
  if string.sub(link, 1, ${headerLength}) == '${headers.identity}' .. device then
    linkedTag = string.sub(link, ${headerLength + 1}, ${headerLength + tagLength})
    if redis.call('EXISTS', ${luaKey(tombstoneKey, 'linkedTag')}) == 1 then link, linkedTag = false, '' end
  else
    link = '${unreadable}'
  end
end

local erased, generation, consent = false, false, false
if subject ~= '' then
  erased = redis.call('EXISTS', KEYS[4]) == 1
  generation = get(KEYS[5])
  if not erased and (consentAsked or alternatives ~= '-') then consent = get(KEYS[6]) end
end
local revoked = KEYS[2] ~= '' and redis.call('EXISTS', KEYS[2]) == 1

local function allowed()
  if alternatives == '-' or subject == '' or revoked then return false end
  if link and linkedTag ~= subject then return false end
  if generation and not (string.match(generation, '^%d+$') and tonumber(generation) <= tonumber(ARGV[5])) then return false end
  local states, counts = '......', false
  if consent then
    if string.sub(consent, 1, ${headerLength}) ~= '${headers.consent}' .. subject then return false end
    local said, at = string.match(string.sub(consent, ${headerLength + 1}, ${headerLength + 32}), '^([.udg][.udg][.udg][.udg][.udg][.udg])|(%-?%d+)|')
    if not said then return false end
    states, counts = said, tonumber(at) >= tonumber(ARGV[7])
  end
  local function holds(position, granted)
    local state = string.sub(states, position + 1, position + 1)
    return state ~= 'd' and (granted == '1' or (state == 'g' and counts))
  end
  for select, activation, selectGranted, activationGranted in string.gmatch(alternatives, '(%d)(%d)(%d)(%d)') do
    if holds(select, selectGranted) and holds(activation, activationGranted) then return true end
  end
  return false
end

local mayRead, profile = allowed(), false
if mayRead and not erased then profile = get(KEYS[7]) end
local linkedConsent = false
if consentAsked and linkedTag ~= '' and linkedTag ~= subject then linkedConsent = get(${luaKey(consentKey, 'linkedTag')}) end

return { ARGV[1], link, generation, revoked and '1', consent, linkedConsent, mayRead and '1', profile, get(KEYS[3]) }
`);

/** KEYS: the denylist's entry. ARGV: its value, until when in ms. Can be made longer, never shorter: saying it again must not take it back. */
export const revokeScript = script(`
local time = redis.call('TIME')
local left = tonumber(ARGV[2]) - (tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000))
if left > 0 and left > redis.call('PTTL', KEYS[1]) then redis.call('SET', KEYS[1], ARGV[1], 'PX', left) end
return 1
`);

/** KEYS: the record, and the tombstone that forbids it where there is one. ARGV: text, lifetime in ms. 0 created, 1 replaced, 2 erased. */
export const putScript = script(`
if KEYS[2] and redis.call('EXISTS', KEYS[2]) == 1 then return 2 end
local existed = redis.call('EXISTS', KEYS[1])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return existed
`);

/** KEYS: profile, tombstone. The text and the instant of its expiry, or null. */
export const getProfileScript = script(`
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
