-- reissue: moves the fence of a step that no worker is carrying out, so that a new
-- task may be made for it.
-- ARGV: id, token, seq.
local id, seq = ARGV[1], tonumber(ARGV[3])
if redis.call('EXISTS', R) == 0 then return {'gone'} end
if get('ltok') == call() then
  return {'won', int(now), int(seq + 1), int(num('due')), redis.call('HGETALL', R), redis.call('HGET', X, 'in') or ''}
end
if over() then return {'final'} end
if num('seq') ~= seq or waits(id) then return {'stale'} end
if get('own') ~= '' and num('lease') > now then return {'busy'} end
release()
put('seq', int(seq + 1), 'ltok', call(), 'due', int(now), 'bc', 'retry')
redis.call('ZADD', DUE, int(now + GRACE), id)
return {'won', int(now), int(seq + 1), int(now), redis.call('HGETALL', R), redis.call('HGET', X, 'in') or ''}
