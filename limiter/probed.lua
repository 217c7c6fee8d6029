-- probed: plans the next probe of an account that is still paused for the same
-- reason. KEYS: 1 account hash. ARGV: reason, probes so far, ms until the next,
-- fingerprints of the refused keys, message.
if redis.call('HGET', KEYS[1], 'reason') ~= ARGV[1] then return 0 end
local at = now + ARGV[3]
redis.call('HSET', KEYS[1], 'probes', ARGV[2], 'probe_at', string.format('%.0f', at), 'key', ARGV[4], 'message', ARGV[5])
return 1
