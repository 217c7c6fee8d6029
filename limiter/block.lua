-- block: no call to the vendor before a moment; an earlier block is never
-- shortened. KEYS: 1 limiter hash, 2 account hash. ARGV: us from now.
local to = micros + tonumber(ARGV[1])
local old = tonumber(redis.call('HGET', KEYS[1], 'blocked') or '') or 0
if to > old then redis.call('HSET', KEYS[1], 'blocked', string.format('%.0f', to)) end
return 1
