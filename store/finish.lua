-- finish: writes the final status under a held lease; of a SUCCESS whose result was
-- fetched once more, only the pairs: its end is as it was.
-- ARGV: id, token, seq, status, retention ms, document retention ms, field-value
-- pairs.
local id, token = ARGV[1], ARGV[2]
if redis.call('EXISTS', R) == 0 then return {'gone'} end
if get('ftok') == call() then return {'won', int(num('fin')), others()} end
if over() then return {'final'} end
if get('seq') ~= ARGV[3] or get('own') ~= token or supplants(7) then return {'stale'} end
set(id, 7)
if ride then ride() end
if not fetching() then
  conclude(id, ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6]))
  return {'won', int(now), others()}
end
release()
put('ftok', call(), 'seq', int(num('seq') + 1))
drop('step', 'bc', 'due', 'ltok')
redis.call('ZADD', DUE, int(after()), id)
if get('ds') == 'pending' then deliver(id, now, 'scheduled') end
tell(id)
return {'won', int(num('fin')), others()}
