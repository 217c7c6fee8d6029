-- hasten: makes the next probe of a paused account due now. An operator's pause has none.
-- KEYS: 1 account hash.
local reason = redis.call('HGET', KEYS[1], 'reason')
if not reason or reason == 'operator' then return 0 end
redis.call('HSET', KEYS[1], 'probe_at', string.format('%.0f', now))
return 1
