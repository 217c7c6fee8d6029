-- observe: adds what one finished extraction showed of the time the vendor takes.
-- KEYS: the account's hash, that of the document type. ARGV: memory, seconds a hash is
-- kept, whether a webhook told of the end and whether a list did (1, 0, or empty where
-- neither was to be expected), the submission's places in the account and in the type
-- (0: unknown), over how many ends the share is counted that no list told of, pairs
-- of bin and weight.
-- Older submissions weigh less: instead of shrinking all that is there, each later one
-- weighs more (forward decay). A weight is in units of what place "base" weighs.
local memory = tonumber(ARGV[1])
for i, key in ipairs(KEYS) do
  local function num(field) return tonumber(redis.call('HGET', key, field) or '') or 0 end
  local latest, base, place = num('latest'), num('base'), tonumber(ARGV[4 + i])
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
  for j = 8, #ARGV, 2 do
    if w * ARGV[j + 1] > 1e-9 then redis.call('HINCRBYFLOAT', key, ARGV[j], w * ARGV[j + 1]) end
  end
  redis.call('EXPIRE', key, ARGV[2])
end
-- The share of ends without a notification, over about the latest thirty, or fewer.
local over = {hook = 30, list = tonumber(ARGV[7])}
for field, told in pairs({hook = ARGV[3], list = ARGV[4]}) do
  if told ~= '' then
    local n = redis.call('HINCRBY', KEYS[1], field .. '.n', 1)
    local missed = tonumber(redis.call('HGET', KEYS[1], field) or '1')
    missed = missed + (1 - told - missed) / math.min(n + 1, over[field])
    redis.call('HSET', KEYS[1], field, tostring(missed))
  end
end
return 'won'
