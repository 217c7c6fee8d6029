-- erase: removes every trace of an extraction whose retention has passed.
-- ARGV: id. The blobs are gone already; the batch's counts stay.
if redis.call('EXISTS', R) == 0 then
  redis.call('ZREM', DUE, ARGV[1])
  return {'gone'}
end
if not FINAL[get('st')] or num('exp') > now then return {'stale'} end
redis.call('HDEL', VIDS, get('vid'))
redis.call('DEL', R, X, U)
redis.call('ZREM', DUE, ARGV[1])
redis.call('ZREM', LIST, ARGV[1])
redis.call('ZREM', READY, ARGV[1])
redis.call('ZREM', BATCH, ARGV[1])
return {'won'}
