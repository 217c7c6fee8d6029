-- cancel: ends an extraction as CANCELED, also one that a worker holds: what the
-- worker writes afterwards finds it final.
-- ARGV: id, token, retention ms, document retention ms, field-value pairs.
local id = ARGV[1]
if redis.call('EXISTS', R) == 0 then return {'gone'} end
if get('ftok') == call() then return {'won', int(num('fin'))} end
if FINAL[get('st')] then return {'final'} end
set(id, 5)
conclude(id, 'CANCELED', tonumber(ARGV[3]), tonumber(ARGV[4]))
return {'won', int(now)}
