-- create: writes the record, its due entry and its place in the lists.
-- ARGV: id, token, input JSON, batch flag, grace ms, field-value pairs.
local id, token = ARGV[1], ARGV[2]
if redis.call('EXISTS', R) == 1 then
  if get('tok') == token then return {'won', get('cr')} end
  return {'exists', int(now)}
end
redis.call('HSET', R, 'seq', 1, 'tok', token, 'step', 'submit', 'bc', 'scheduled', 'cr', int(now), 'due', int(now))
if ARGV[4] == '1' then
  redis.call('HSET', R, 'bt', '1')
  redis.call('ZADD', BATCH, int(now), id)
end
redis.call('HSET', X, 'in', ARGV[3])
set(id, 6)
-- A deep backlog is looked at in proportion, or the entries that matter would
-- wait behind it: reconcile reads 250 entries a second. What is due later than
-- in ten minutes, as nearly all that is finished, is no backlog.
local backlog = redis.call('ZCOUNT', DUE, '-inf', int(now + 600000))
redis.call('ZADD', DUE, int(now + ARGV[5] + backlog * 4), id)
redis.call('ZADD', LIST, int(now), id)
move(id, 'QUEUED')
return {'won', int(now)}
