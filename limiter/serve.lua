-- serve: notes that a worker serves the account now. KEYS: 1 workers, by the time
-- of their last note, 2 account hash. ARGV: worker, ms for which a note counts.
-- Answers how many workers serve it.
redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - ARGV[2]))
return redis.call('ZCARD', KEYS[1])
