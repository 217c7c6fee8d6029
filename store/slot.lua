-- slot: may the caller carry out a duty in the present slot of time?
-- KEYS: 1 ticks. ARGV: duty, ms of a slot, token. Answers 1 to one caller a slot, and
-- to the same token again.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local slot = string.format('%.0f', math.floor(now / ARGV[2]))
local holder = redis.call('HGET', KEYS[1], ARGV[1])
if holder == slot .. ' ' .. ARGV[3] then return 1 end
if holder and string.match(holder, '^%S+') == slot then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], slot .. ' ' .. ARGV[3])
return 1
