-- report: counts failures in a row, of submissions and of polls apart; a success ends the
-- row of its kind. A vendor may answer polls and take no submission.
-- KEYS: 1 failures of this kind, 2 account hash. ARGV: extraction, 1 for a success, 1 for
-- a submission, failures and extractions from which the vendor counts as unavailable, token.
now = string.format('%.0f', now)
local submission = ARGV[3] == '1'
if ARGV[2] == '1' then
  redis.call('DEL', KEYS[1])
  redis.call('HDEL', KEYS[2], 'doubts', 'throttled', 'throttled_at')
  redis.call('HSET', KEYS[2], 'last_ok', now)
  if submission then
    redis.call('HSET', KEYS[2], 'last_submit_ok', now)
    if redis.call('HGET', KEYS[2], 'trial') then
      redis.call('HDEL', KEYS[2], 'reason', 'since', 'probe_at', 'probes', 'key', 'message', 'trial', 'trial_free')
      redis.call('HSET', KEYS[2], 'resumed', now)
    end
  end
  -- What paused the account is over when the pause is.
  -- The document store's trouble has an end of its own.
  local account = redis.call('HMGET', KEYS[2], 'reason', 'store_since', 'err_at')
  if not account[1] and not account[2] and account[3] then
    redis.call('HSETNX', KEYS[2], 'err_over', now)
  end
  return 0
end
-- A failure whose answer was lost is reported again, and counts once.
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[6] then redis.call('HINCRBY', KEYS[1], '', 1) end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[6])
local failures = tonumber(redis.call('HGET', KEYS[1], ''))
if failures >= tonumber(ARGV[4]) and redis.call('HLEN', KEYS[1]) - 1 >= tonumber(ARGV[5]) then
  -- Polls fail as well: a trial of submissions means nothing.
  if not submission then redis.call('HDEL', KEYS[2], 'trial', 'trial_free', 'resumed') end
  return 1
end
return 0
