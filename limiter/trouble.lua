-- trouble: keeps the latest trouble with the vendor that concerns the account.
-- KEYS: 1 account hash. ARGV: code, message.
redis.call('HDEL', KEYS[1], 'err_over')
redis.call('HSET', KEYS[1], 'err_code', ARGV[1], 'err_message', ARGV[2],
  'err_at', string.format('%.0f', now))
return 1
