-- resolve: a submission whose answer was lost has been found at the vendor.
-- ARGV: id, token, vendor id, grace ms. Only an uncertain extraction that
-- nobody holds is resolved.
local id, token = ARGV[1], ARGV[2]
if redis.call('EXISTS', R) == 0 then return {'gone'} end
if get('ltok') == token then return {'won', int(now), int(num('seq')), int(num('due'))} end
if get('ph') ~= 'uncertain' or get('own') ~= '' or FINAL[get('st')] then return {'stale'} end
redis.call('HSET', VIDS, ARGV[3], id)
redis.call('HSET', R, 'vid', ARGV[3], 'sub', get('sent'), 'seq', int(num('seq') + 1), 'ltok', token,
  'step', 'poll', 'bc', 'scheduled', 'due', int(now))
redis.call('HDEL', R, 'ph', 'unc')
redis.call('ZADD', DUE, int(now + ARGV[4]), id)
move(id, 'IN_PROGRESS')
return {'won', int(now), int(num('seq')), int(now)}
