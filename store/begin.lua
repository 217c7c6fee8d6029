-- begin: takes the lease of one step.
-- ARGV: id, token, seq, lease ms, slots (0: the step needs none).
local id, token, slots = ARGV[1], ARGV[2], tonumber(ARGV[5])
if redis.call('EXISTS', R) == 0 then return {'gone'} end
local st = get('st')
if get('own') ~= token then
  if FINAL[st] then return {'final'} end
  if get('seq') ~= ARGV[3] then return {'stale'} end
  if get('own') ~= '' then return {'busy'} end
  if slots > 0 and not redis.call('ZSCORE', INFLIGHT, id) then
    if redis.call('ZCARD', INFLIGHT) >= slots then return {'full'} end
    redis.call('ZADD', INFLIGHT, int(now), id)
  end
  redis.call('HSET', R, 'own', token, 'lease', int(now + ARGV[4]))
  redis.call('HDEL', R, 'orph')
  -- The question that follows answers the hint. One that comes from now on may be
  -- about something that this question came too early for.
  if asks(get('step')) then redis.call('HDEL', R, 'hint') end
  redis.call('ZADD', DUE, int(now + ARGV[4]), id)
  if st == 'QUEUED' then move(id, 'SUBMITTING') end
end
return {'won', int(now), redis.call('HGETALL', R), redis.call('HGET', X, 'in') or ''}
