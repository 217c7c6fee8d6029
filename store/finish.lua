-- finish: writes the final status, once, with its event and its place among the
-- results nobody has collected.
-- ARGV: id, token, seq, status, retention ms, document retention ms, field-value
-- pairs.
local id, token = ARGV[1], ARGV[2]
if redis.call('EXISTS', R) == 0 then return {'gone'} end
if get('ftok') == token then return {'won', int(num('fin'))} end
if FINAL[get('st')] then return {'final'} end
if get('own') ~= token then return {'stale'} end
set(id, 7)
release()
local expires = now + tonumber(ARGV[5])
redis.call('HSET', R, 'ftok', token, 'fin', int(now), 'exp', int(expires), 'seq', int(num('seq') + 1))
redis.call('HDEL', R, 'ph', 'step', 'bc', 'due', 'hint', 'ltok', 'wait', 'ugone', 'uexp')
redis.call('DEL', U)
redis.call('ZREM', INFLIGHT, id)
-- The first look is for the document, which may go earlier than the rest.
redis.call('ZADD', DUE, int(now + math.min(tonumber(ARGV[5]), tonumber(ARGV[6]))), id)
redis.call('ZADD', READY, int(now), id)
move(id, ARGV[4])
return {'won', int(now)}
