-- resolve: saves the vendor id of a submission whose answer came late, or was lost and
-- has been found at the vendor.
-- ARGV: id, token, vendor id.
-- One that is not final goes on with the id at once: the lease of a step that looks for
-- it, or that is about to submit again, is over. One that has ended without a vendor id
-- keeps it, for its repetition or its deletion.
local id, vid = ARGV[1], ARGV[3]
if redis.call('EXISTS', R) == 0 then return {'gone'} end
if get('ltok') == call() then return {'won', int(now), int(num('seq')), int(num('due'))} end
local mine = get('vid')
if mine == vid then return {'known'} end
if mine ~= '' then return {'supplanted'} end
if FINAL[get('st')] then
  put('vid', vid)
  redis.call('HSETNX', VIDS, vid, id)
  return {'final'}
end
release()
known(id, vid)
local sent = get('sent')
put('vid', vid, 'sub', sent ~= '' and sent or int(now), 'seq', int(num('seq') + 1), 'ltok', call(),
  'step', 'poll', 'bc', 'scheduled', 'due', int(now))
drop('ph', 'unc')
redis.call('ZADD', DUE, int(now + GRACE), id)
redis.call('ZADD', INFLIGHT, 'NX', int(now), id)
move(id, 'IN_PROGRESS')
return {'won', int(now), int(num('seq')), int(now)}
