-- renew: moves the end of a lease that is still held.
-- ARGV: id, token, number of the call, lease ms.
if get('own') ~= ARGV[2] then return {'stale'} end
local verdict = again('rn', ARGV[3])
if verdict then return {verdict} end
put('lease', int(now + ARGV[4]), 'rn', ARGV[3])
redis.call('ZADD', DUE, int(now + ARGV[4]), ARGV[1])
return {'won'}
