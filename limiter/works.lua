-- works: the vendor did what it was asked to, which ends the row of failures of that kind.
-- KEYS: 1 failures of this kind, 2 account hash. ARGV: 1 for a submission.
now = string.format('%.0f', now)
redis.call('DEL', KEYS[1])
redis.call('HDEL', KEYS[2], 'doubts', 'throttled', 'throttled_at')
local account = redis.call('HMGET', KEYS[2], 'reason', 'store_since', 'err_at', 'trial')
local paused = account[1]
if ARGV[1] == '1' then
  redis.call('HSET', KEYS[2], 'last_ok', now, 'last_submit_ok', now)
  if account[4] then
    redis.call('HDEL', KEYS[2], 'reason', 'since', 'probe_at', 'probes', 'key', 'message', 'trial', 'trial_free')
    redis.call('HSET', KEYS[2], 'resumed', now)
    paused = false
  end
else
  redis.call('HSET', KEYS[2], 'last_ok', now)
end
-- What paused the account is over when the pause is.
-- The document store's trouble has an end of its own.
if not paused and not account[2] and account[3] then redis.call('HSETNX', KEYS[2], 'err_over', now) end
return 0
