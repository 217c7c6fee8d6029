-- mark: journals what the holder of the lease is about to do or has done.
-- ARGV: id, token, field-value pairs.
if get('own') ~= ARGV[2] or supplants(3) then return {'stale'} end
set(ARGV[1], 3)
return {'won', int(now)}
