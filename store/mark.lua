-- mark: journals what the holder of the lease is about to do or has done.
-- ARGV: id, token, number of the call, field-value pairs.
if get('own') ~= ARGV[2] then return {'stale'} end
local verdict = again('mk', ARGV[3])
if verdict then return {verdict, int(now)} end
if supplants(4) then return {'stale'} end
set(ARGV[1], 4)
put('mk', ARGV[3])
return {'won', int(now)}
