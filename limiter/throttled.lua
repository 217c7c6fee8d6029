-- throttled: counts the answers 429 in a row that say neither when to come back nor that a
-- plan is used up. Those within a minute are one; a row ends after ten minutes.
-- KEYS: 1 account hash.
local last = tonumber(redis.call('HGET', KEYS[1], 'throttled_at') or '') or 0
local n = tonumber(redis.call('HGET', KEYS[1], 'throttled') or '') or 0
if now - last < 50000 and now >= last then return n end
if now - last > 600000 then n = 0 end
redis.call('HSET', KEYS[1], 'throttled', n + 1, 'throttled_at', string.format('%.0f', now))
return n + 1
