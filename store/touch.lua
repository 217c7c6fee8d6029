-- touch: moves the time at which reconcile looks again at a step whose task
-- exists. One that is not overdue any more has been moved since it was looked at.
-- ARGV: id, seq, delay ms, orphan flag.
if get('seq') ~= ARGV[2] or get('own') ~= '' or waits(ARGV[1]) then return {'stale'} end
if (tonumber(redis.call('ZSCORE', DUE, ARGV[1]) or '') or 0) > now then return {'stale'} end
if ARGV[4] == '1' then put('orph', int(now)) else drop('orph') end
redis.call('ZADD', DUE, int(now + ARGV[3]), ARGV[1])
return {'won'}
