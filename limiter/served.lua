-- served: how many workers serve the account. KEYS: 1 workers, by the time of
-- their last note. ARGV: ms for which a note counts.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
return redis.call('ZCOUNT', KEYS[1], string.format('%.0f', now - ARGV[1]), '+inf')
