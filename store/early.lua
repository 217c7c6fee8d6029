-- early: finds the extraction of a vendor id. An unknown one is remembered
-- for a while: it may be that of a submission whose answer is still on its way.
-- ARGV: (none), token, vendor id, ms for which it is remembered, how many are.
local id = redis.call('HGET', VIDS, ARGV[3])
if id then return {'won', id} end
redis.call('ZADD', EARLY, int(now), ARGV[3])
redis.call('ZREMRANGEBYSCORE', EARLY, '-inf', int(now - ARGV[4]))
redis.call('ZREMRANGEBYRANK', EARLY, 0, -1 - ARGV[5])
redis.call('PEXPIRE', EARLY, ARGV[4])
return {'won', ''}
