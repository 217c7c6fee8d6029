-- claim: names the extraction that repeats this one, once.
-- ARGV: id, the new extraction's id. The answer is the id of the first.
if redis.call('EXISTS', R) == 0 then return {'gone'} end
if not FINAL[get('st')] then return {'stale'} end
redis.call('HSETNX', R, 'rb', ARGV[2])
return {'won', get('rb')}
