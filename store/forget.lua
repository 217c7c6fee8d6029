-- forget: removes the counts of a batch once the retention after its last record is
-- over. A batch that has a record again keeps them: erase notes when that one goes.
-- ARGV: (none), token, batch.
local batch = ARGV[3]
local at = tonumber(redis.call('ZSCORE', EMPTIED, batch) or '')
if not at or at > now then return {'stale'} end
redis.call('ZREM', EMPTIED, batch)
if redis.call('ZCARD', BATCH) > 0 then return {'stale'} end
redis.call('DEL', COUNTS)
redis.call('ZREM', BATCHES, batch)
return {'won'}
