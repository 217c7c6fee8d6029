-- report: counts failures in a row, of submissions and of polls apart; a success ends the
-- row of its kind (works.lua). A vendor may answer polls and take no submission.
-- KEYS: 1 failures of this kind, 2 account hash. ARGV: extraction, 1 for a submission,
-- failures and extractions from which the vendor counts as unavailable, token.
-- A failure whose answer was lost is reported again, and counts once.
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[5] then redis.call('HINCRBY', KEYS[1], '', 1) end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[5])
local failures = tonumber(redis.call('HGET', KEYS[1], ''))
if failures >= tonumber(ARGV[3]) and redis.call('HLEN', KEYS[1]) - 1 >= tonumber(ARGV[4]) then
  -- Polls fail as well: a trial of submissions means nothing.
  if ARGV[2] ~= '1' then redis.call('HDEL', KEYS[2], 'trial', 'trial_free', 'resumed') end
  return 1
end
return 0
