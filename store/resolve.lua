-- resolve: a submission whose answer was lost has been found at the vendor.
-- ARGV: id, token, vendor id. An uncertain extraction that nobody
-- holds goes on with it; one that has ended without a vendor id only keeps it, for
-- whoever repeats or deletes it.
local id, token, vid = ARGV[1], ARGV[2], ARGV[3]
if redis.call('EXISTS', R) == 0 then return {'gone'} end
if get('ltok') == token then return {'won', int(now), int(num('seq')), int(num('due'))} end
if FINAL[get('st')] then
  if get('vid') == '' then
    redis.call('HSET', R, 'vid', vid)
    redis.call('HSETNX', VIDS, vid, id)
  end
  return {'final'}
end
if get('ph') ~= 'uncertain' or get('own') ~= '' then return {'stale'} end
known(id, vid)
redis.call('HSET', R, 'vid', vid, 'sub', get('sent'), 'seq', int(num('seq') + 1), 'ltok', token,
  'step', 'poll', 'bc', 'scheduled', 'due', int(now))
redis.call('HDEL', R, 'ph', 'unc')
redis.call('ZADD', DUE, int(now + GRACE), id)
move(id, 'IN_PROGRESS')
return {'won', int(now), int(num('seq')), int(now)}
