-- trouble: keeps the latest trouble with the vendor that concerns the account.
-- KEYS: 1 account hash. ARGV: code, message.
redis.call('HDEL', KEYS[1], 'err_over')
local t = redis.call('TIME')
redis.call('HSET', KEYS[1], 'err_code', ARGV[1], 'err_message', ARGV[2],
  'err_at', string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000)))
return 1
