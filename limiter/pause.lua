-- pause: stops the account for a reason. KEYS: 1 account hash. ARGV: reason,
-- ms until the first probe, key fingerprint, message. An operator's pause stays.
local old = redis.call('HGET', KEYS[1], 'reason') or ''
if old == ARGV[1] or old == 'operator' then return 0 end
redis.call('HDEL', KEYS[1], 'trial', 'trial_free', 'resumed')
redis.call('HSET', KEYS[1], 'reason', ARGV[1], 'since', string.format('%.0f', now),
  'probe_at', string.format('%.0f', now + ARGV[2]), 'probes', 0, 'key', ARGV[3], 'message', ARGV[4])
return 1
