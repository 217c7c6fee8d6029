-- claim: may the caller read the ready lists now?
-- KEYS: 1 ready list. ARGV: token, ms that must have passed since the last reading.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
if redis.call('HGET', KEYS[1], 'by') == ARGV[1] then return 1 end
local last = tonumber(redis.call('HGET', KEYS[1], 'at') or '') or 0
-- A reading that is still to come was claimed before the clock went back.
if last <= now and now - last < tonumber(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], 'at', string.format('%.0f', now), 'by', ARGV[1])
return 1
