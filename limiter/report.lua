-- report: counts failures in a row; a success ends the row. KEYS: 1 failures,
-- 2 account hash. ARGV: extraction, 1 for a success, failures and extractions
-- from which the vendor counts as unavailable.
local t = redis.call('TIME')
if ARGV[2] == '1' then
  redis.call('DEL', KEYS[1])
  redis.call('HDEL', KEYS[2], 'doubts')
  redis.call('HSET', KEYS[2], 'last_ok', string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000)))
  return 0
end
redis.call('HINCRBY', KEYS[1], '', 1)
redis.call('HSET', KEYS[1], ARGV[1], 1)
local failures = tonumber(redis.call('HGET', KEYS[1], ''))
if failures >= tonumber(ARGV[3]) and redis.call('HLEN', KEYS[1]) - 1 >= tonumber(ARGV[4]) then return 1 end
return 0
