-- erase: removes every trace of a final extraction, at once or once its
-- retention has passed, and leaves a tombstone, so that the same one is not made
-- again. The blobs are gone already. After the last record of a batch its counts stay
-- for as long as the tombstone; see forget.
-- ARGV: id, force flag, ms for which the tombstone stays, batch (empty for none).
-- A key for one customer is to learn of that one's only: there is a second
-- tombstone with the customer's digest. The answer is the idempotency key it had.
local id = ARGV[1]
if redis.call('EXISTS', R) == 0 then
  redis.call('ZREM', DUE, id)
  return {'gone'}
end
if not FINAL[get('st')] or ARGV[2] ~= '1' and num('exp') > now then return {'stale'} end
unmap(id)
local key = redis.call('HGET', X, 'key')
if key then redis.call('HDEL', IDEM, key) end
local customer = get('cu')
redis.call('DEL', R, X, U)
for _, index in ipairs({DUE, LIST, READY, BATCH}) do redis.call('ZREM', index, id) end
if ARGV[4] ~= '' and redis.call('ZCARD', BATCH) == 0 then redis.call('ZADD', EMPTIED, int(now + ARGV[3]), ARGV[4]) end
redis.call('ZADD', TOMBS, int(now + ARGV[3]), id)
if customer ~= '' then redis.call('ZADD', TOMBS, int(now + ARGV[3]), id .. '/' .. customer) end
return {'won', key or ''}
