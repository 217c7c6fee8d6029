-- create: writes the record, its due entry and its place in the lists.
-- ARGV: id, token, input JSON, batch flag, grace ms, step, vendor id (empty
-- where the vendor has none for it yet), field-value pairs.
local id, token, step, vid = ARGV[1], ARGV[2], ARGV[6], ARGV[7]
if redis.call('EXISTS', R) == 1 then
  if get('tok') == token then return {'won', get('cr')} end
  return {'exists', int(now)}
end
if redis.call('ZSCORE', TOMBS, id) then return {'erased'} end
if vid ~= '' and (redis.call('HGET', VIDS, vid) or id) ~= id then return {'followed'} end
redis.call('HSET', R, 'seq', 1, 'tok', token, 'step', step, 'bc', 'scheduled', 'cr', int(now), 'due', int(now))
if ARGV[4] == '1' then
  redis.call('HSET', R, 'bt', '1')
  redis.call('ZADD', BATCH, int(now), id)
end
redis.call('HSET', X, 'in', ARGV[3])
set(id, 8)
if vid ~= '' then
  redis.call('HSET', R, 'vid', vid)
  redis.call('HSET', VIDS, vid, id)
end
-- A deep backlog is looked at in proportion, or the entries that matter would
-- wait behind it: reconcile reads 250 entries a second. What is due later than
-- in ten minutes, as nearly all that is finished, is no backlog.
local backlog = redis.call('ZCOUNT', DUE, '-inf', int(now + 600000))
redis.call('ZADD', DUE, int(now + ARGV[5] + backlog * 4), id)
redis.call('ZADD', LIST, int(now), id)
if step == 'poll' then
  if get('sub') == '' then redis.call('HSET', R, 'sub', int(now)) end
  redis.call('ZADD', INFLIGHT, int(now), id)
  move(id, 'IN_PROGRESS')
else
  move(id, 'QUEUED')
end
return {'won', int(now)}
