-- defer: when a submission that waits for something else than the rate comes
-- back. KEYS: 1 limiter hash. ARGV: interval us.
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local at = math.max(now + 1000000, tonumber(redis.call('HGET', KEYS[1], 'far.submit') or '') or 0)
redis.call('HSET', KEYS[1], 'far.submit', string.format('%.0f', at + tonumber(ARGV[1])))
return at - now
