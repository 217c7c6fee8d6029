-- create: writes the record and its place in the lists: with a due entry, or in the
-- line of those that wait for their turn.
-- ARGV: id, token, input JSON, batch (empty for none), step, vendor id (empty where
-- the vendor has none for it yet), idempotency key (empty for none), fingerprint of
-- the request, largest backlog (0 for any), field-value pairs.
local id, token, batch, step, vid, key = ARGV[1], ARGV[2], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
if redis.call('EXISTS', R) == 1 then
  if get('tok') == token then return {'won', get('cr'), get('bc'), waits(id) and 1 or 0} end
  return {'exists', int(now)}
end
if key ~= '' then
  local first = redis.call('HGET', IDEM, key)
  if first then return {'repeated', first} end
end
if redis.call('ZSCORE', TOMBS, id) then return {'erased'} end
if vid ~= '' and (redis.call('HGET', VIDS, vid) or id) ~= id then return {'followed'} end
local most = tonumber(ARGV[9])
if most > 0 and redis.call('ZCARD', QUEUED) + redis.call('ZCARD', INFLIGHT) >= most then return {'backlog'} end
put('seq', 1, 'tok', token, 'step', step, 'bc', 'scheduled', 'cr', int(now), 'due', int(now))
if batch ~= '' then
  put('bt', '1')
  redis.call('ZADD', BATCH, int(now), id)
  redis.call('ZADD', BATCHES, 'GT', int(now), batch)
end
redis.call('HSET', X, 'in', ARGV[3])
if key ~= '' then
  redis.call('HSET', X, 'key', key)
  redis.call('HSET', IDEM, key, id .. ' ' .. ARGV[8])
end
set(id, 10)
if vid ~= '' then
  put('vid', vid)
  known(id, vid)
end
redis.call('ZADD', LIST, int(now), id)
if step == 'poll' then
  -- Many at once are looked at in proportion, or the entries that matter would wait
  -- behind them: reconcile reads 250 entries a second. What is due later than in ten
  -- minutes, as nearly all that is finished, is no backlog.
  local backlog = redis.call('ZCOUNT', DUE, '-inf', int(now + 600000))
  redis.call('ZADD', DUE, int(now + GRACE + backlog * 4), id)
  if get('sub') == '' then put('sub', int(now)) end
  redis.call('ZADD', INFLIGHT, int(now), id)
  move(id, 'IN_PROGRESS')
else
  move(id, 'QUEUED')
  local why = barred() or redis.call('ZCARD', LINE) > 0 and 'scheduled'
  if why then
    put('bc', why)
    stand(id)
    return {'won', int(now), why, 1}
  end
  redis.call('ZADD', RELEASED, int(now), id)
  redis.call('ZADD', DUE, int(now + GRACE), id)
end
return {'won', int(now), get('bc'), 0}
