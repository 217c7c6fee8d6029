-- lift: makes the account active if it is paused for the reason. Where submissions failed
-- in a row, a probe says nothing about them: polls go on, and one submission is let
-- through as a trial. It lifts the pause when it succeeds.
-- KEYS: 1 account hash, 2 failures of polls, 3 failures of submissions, 4 account hash.
-- ARGV: reason, 1 where it is not known whether that is over, failures from which a row counts.
if redis.call('HGET', KEYS[1], 'reason') ~= ARGV[1] then return 0 end
now = string.format('%.0f', now)
redis.call('DEL', KEYS[2])
if ARGV[1] == 'unavailable' and (tonumber(redis.call('HGET', KEYS[3], '') or '') or 0) >= tonumber(ARGV[3]) then
  redis.call('HSET', KEYS[1], 'trial', 1, 'trial_free', 1)
  redis.call('HSETNX', KEYS[1], 'resumed', now)
  return 2
end
redis.call('HDEL', KEYS[1], 'reason', 'since', 'probe_at', 'probes', 'key', 'message', 'trial', 'trial_free')
redis.call('HSET', KEYS[1], 'resumed', now)
if ARGV[2] == '1' then
  redis.call('HINCRBY', KEYS[1], 'doubts', 1)
else
  redis.call('HDEL', KEYS[1], 'doubts')
  local account = redis.call('HMGET', KEYS[1], 'err_at', 'store_since')
  if account[1] and not account[2] then redis.call('HSETNX', KEYS[1], 'err_over', now) end
end
redis.call('DEL', KEYS[3])
return 1
