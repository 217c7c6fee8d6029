-- deliver: a delivery is under way. Its process calls this again and again; once it has not
-- for so long, its task is lost.
-- ARGV: id, number of the delivery, ms.
if get('step') ~= 'deliver' or get('ds') ~= 'pending' or get('dn') ~= ARGV[2] then return {'stale'} end
put('orph', int(now))
redis.call('ZADD', DUE, int(now + ARGV[3]), ARGV[1])
return {'won'}
