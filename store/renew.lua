-- renew: moves the end of a lease that is still held.
-- ARGV: id, token, lease ms.
if get('own') ~= ARGV[2] then return {'stale'} end
redis.call('HSET', R, 'lease', int(now + ARGV[3]))
redis.call('ZADD', DUE, int(now + ARGV[3]), ARGV[1])
return {'won'}
