-- storeworks: the account's document store works again. How often it was tried is kept
-- for a while, in case it fails again.
-- KEYS: 1 account hash. ARGV: token, the code of its trouble. Answers for how many ms it
-- failed; -1 where it did not, or where another has said so.
local function int(n) return string.format('%.0f', n) end
if redis.call('HGET', KEYS[1], 'store_ended') == ARGV[1] then
  return tonumber(redis.call('HGET', KEYS[1], 'store_lasted'))
end
local since = tonumber(redis.call('HGET', KEYS[1], 'store_since') or '')
if not since then return -1 end
local lasted = math.max(now - since, 0)
redis.call('HDEL', KEYS[1], 'store_since', 'store_probe_at', 'store_by', 'store_prober')
redis.call('HSET', KEYS[1], 'store_over', int(now), 'store_ended', ARGV[1], 'store_lasted', int(lasted))
if redis.call('HGET', KEYS[1], 'err_code') == ARGV[2] then redis.call('HSET', KEYS[1], 'err_over', int(now)) end
return lasted
