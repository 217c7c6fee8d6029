-- served: how many workers serve the account. KEYS: 1 workers, by the time of
-- their last note, 2 account hash. ARGV: ms for which a note counts.
return redis.call('ZCOUNT', KEYS[1], string.format('%.0f', now - ARGV[1]), '+inf')
