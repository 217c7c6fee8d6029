-- receive: keeps the caller's mark of a request that is being received, or takes it
-- away. One that has lapsed and been made by another since is that one's.
-- KEYS: 1 mark. ARGV: token, which is what the mark holds, ms for which the mark stays; 0
-- takes it away.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
