-- delivered: what one delivery to the producer came to.
-- ARGV: id, token, number of the delivery, outcome (delivered, failed, retry, or busy,
-- which was no attempt), HTTP status (0 where there was no answer), delay ms until the
-- next one, why it was not delivered (empty where it was).
-- An attempt counts whatever it took: where another delivery has been made due meanwhile,
-- that one goes on, unless this one was delivered.
local id, token, outcome = ARGV[1], ARGV[2], ARGV[4]
if redis.call('EXISTS', R) == 0 then return {'gone'} end
if get('dtok') == token then return {'won', int(now), int(num('dn')), int(num('due'))} end
if get('ds') ~= 'pending' or noted(ARGV[3], outcome == 'delivered') then return {'stale'} end
local late = get('dn') ~= ARGV[3]
note(ARGV[3], outcome == 'delivered')
put('dtok', token)
if outcome ~= 'busy' then
  put('dl', ARGV[5])
  redis.call('HINCRBY', R, 'da', 1)
end
-- What the next attempt waits for is worth knowing; that others go first is not.
if ARGV[7] ~= '' then redis.call('HSET', X, 'cbe', ARGV[7]) elseif outcome ~= 'busy' then redis.call('HDEL', X, 'cbe') end
if late and outcome ~= 'delivered' then return {'stale'} end
if outcome == 'retry' or outcome == 'busy' then
  -- asynq fires on whole seconds and may be up to one early.
  deliver(id, math.ceil((now + ARGV[6]) / 1000) * 1000, 'retry')
else
  put('ds', outcome)
  if not fetching() then
    drop('step', 'bc', 'due')
    redis.call('ZADD', DUE, int(after()), id)
  end
  if outcome == 'delivered' then redis.call('ZREM', READY, id) end
end
return {'won', int(now), int(num('dn')), int(num('due'))}
