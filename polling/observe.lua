-- observe: adds what finished extractions of one document type showed of the time the vendor
-- takes. KEYS: the account's hash, that of the type. ARGV: token, memory, seconds a hash is
-- kept, whether a webhook reported each end and whether a list did (a digit for each where one
-- was to be expected, 1 or 0), over how many ends the share is counted that no list reported;
-- then for each key: the latest submission's place (0: unknown), how many bins follow, pairs
-- of bin and weight, with 1 for what was submitted at that place.
-- Older submissions weigh less: instead of shrinking all that is there, each later one
-- weighs more (forward decay). A weight is in units of what place "base" weighs.
if redis.call('HGET', KEYS[1], 'tok') == ARGV[1] then return 'won' end
redis.call('HSET', KEYS[1], 'tok', ARGV[1])
local memory = tonumber(ARGV[2])
local at = 7
for _, key in ipairs(KEYS) do
  local function num(field) return tonumber(redis.call('HGET', key, field) or '') or 0 end
  local latest, base, place, bins = num('latest'), num('base'), tonumber(ARGV[at]), tonumber(ARGV[at + 1])
  if place == 0 then place = latest end
  if place > latest then
    latest = place
    redis.call('HSET', key, 'latest', latest)
    -- Where the count began anew, as after the key was deleted with documents on their
    -- way, it goes on from there: what came before "latest" would count for nothing.
    if num('n') < latest then redis.call('HSET', key, 'n', latest) end
  end
  if latest - base > 14 * memory then -- Before the numbers get too large, all is put to scale.
    local factor = math.exp((base - latest) / memory)
    local all = redis.call('HGETALL', key)
    for j = 1, #all, 2 do
      if tonumber(all[j]) then
        local v = tonumber(all[j + 1]) * factor
        if v < 1e-4 then redis.call('HDEL', key, all[j]) else redis.call('HSET', key, all[j], tostring(v)) end
      end
    end
    base = latest
    redis.call('HSET', key, 'base', base)
  end
  local w = math.exp((place - base) / memory)
  for j = at + 2, at + 2 * bins, 2 do
    if w * ARGV[j + 1] > 1e-9 then redis.call('HINCRBYFLOAT', key, ARGV[j], w * ARGV[j + 1]) end
  end
  redis.call('EXPIRE', key, ARGV[3])
  at = at + 2 + 2 * bins
end
-- The share of ends without a notification, over about the latest thirty, or fewer.
local over = {hook = 30, list = tonumber(ARGV[6])}
for field, told in pairs({hook = ARGV[4], list = ARGV[5]}) do
  if told ~= '' then
    local n = tonumber(redis.call('HGET', KEYS[1], field .. '.n') or '0')
    local missed = tonumber(redis.call('HGET', KEYS[1], field) or '1')
    for digit in string.gmatch(told, '%d') do
      n = n + 1
      missed = missed + (1 - digit - missed) / math.min(n + 1, over[field])
    end
    redis.call('HSET', KEYS[1], field .. '.n', n, field, tostring(missed))
  end
end
return 'won'
