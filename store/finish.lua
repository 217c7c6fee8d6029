-- finish: writes the final status under a held lease.
-- ARGV: id, token, seq, status, retention ms, document retention ms, field-value
-- pairs.
local id, token = ARGV[1], ARGV[2]
if redis.call('EXISTS', R) == 0 then return {'gone'} end
if get('ftok') == call() then return {'won', int(num('fin'))} end
if FINAL[get('st')] then return {'final'} end
if get('own') ~= token or supplants(7) then return {'stale'} end
set(id, 7)
conclude(id, ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6]))
return {'won', int(now)}
