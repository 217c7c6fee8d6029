-- next: ends a step, names the one that follows and moves the fence.
-- ARGV: id, token, seq, step, delay ms, because, field-value pairs.
-- Only the holder of the lease may end it.
local id, token, seq, step = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
if redis.call('EXISTS', R) == 0 then return {'gone'} end
if get('ltok') == call() then return {'won', int(now), int(seq + 1), int(num('due')), others()} end
if over() then return {'final'} end
if num('seq') ~= seq or get('own') ~= token or supplants(7) then return {'stale'} end
set(id, 7)
local due = now + tonumber(ARGV[5])
-- asynq fires on whole seconds and may be up to one early.
if tonumber(ARGV[5]) > 0 then due = math.ceil(due / 1000) * 1000 end
if get('hint') ~= '' and asks(step) then due = hurried(due) end
local look = due + GRACE
if fetching() then
  look = math.min(look, after()) -- It keeps nothing beyond its retention.
elseif step == 'poll' then
  move(id, 'IN_PROGRESS')
elseif get('ph') == '' then
  move(id, 'QUEUED')
  redis.call('ZREM', INFLIGHT, id)
  -- What only waits for the rate keeps its turn; what failed has had it.
  if ARGV[6] == 'rate' or ARGV[6] == 'account_paused' then
    redis.call('ZADD', RELEASED, int(now), id)
  else
    redis.call('ZREM', RELEASED, id)
  end
else
  redis.call('ZREM', RELEASED, id)
end
release()
put('seq', int(seq + 1), 'ltok', call(), 'step', step, 'bc', ARGV[6], 'due', int(due))
redis.call('ZADD', DUE, int(look), id)
if ride then ride() end
return {'won', int(now), int(seq + 1), int(due), others()}
