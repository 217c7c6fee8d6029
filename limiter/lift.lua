-- lift: makes the account active if it is paused for the reason.
-- KEYS: 1 account hash, 2 failures. ARGV: reason, 1 where nobody knows whether that is over.
if redis.call('HGET', KEYS[1], 'reason') ~= ARGV[1] then return 0 end
redis.call('HDEL', KEYS[1], 'reason', 'since', 'probe_at', 'probes', 'key', 'message')
if ARGV[2] == '1' then redis.call('HINCRBY', KEYS[1], 'doubts', 1) else redis.call('HDEL', KEYS[1], 'doubts') end
redis.call('DEL', KEYS[2])
return 1
