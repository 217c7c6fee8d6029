-- storefails: stops the account's calls because its document store fails. One that fails
-- again within ten minutes waits longer for its next probe.
-- KEYS: 1 account hash. ARGV: token, first wait in ms, longest wait in ms, code, message.
-- Answers {1 where this call began it, ms until the next probe}.
local function num(f) return tonumber(redis.call('HGET', KEYS[1], f) or '') or 0 end
local function int(n) return string.format('%.0f', n) end
if num('store_since') == 0 then
  local tries = now - num('store_over') < 600000 and num('store_tries') + 1 or 0
  redis.call('HSET', KEYS[1], 'store_since', int(now), 'store_by', ARGV[1], 'store_tries', tries,
    'store_probe_at', int(now + math.min(ARGV[2] * 2 ^ tries, tonumber(ARGV[3]))))
end
redis.call('HDEL', KEYS[1], 'err_over')
redis.call('HSET', KEYS[1], 'err_code', ARGV[4], 'err_message', ARGV[5], 'err_at', int(now))
return {redis.call('HGET', KEYS[1], 'store_by') == ARGV[1] and 1 or 0, math.max(num('store_probe_at') - now, 0)}
