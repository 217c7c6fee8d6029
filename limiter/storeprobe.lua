-- storeprobe: is it this caller's turn to try the document store? It plans the next
-- probe before this one, which may hang.
-- KEYS: 1 account hash. ARGV: token, first wait in ms, longest wait in ms.
local function num(f) return tonumber(redis.call('HGET', KEYS[1], f) or '') or 0 end
if num('store_since') == 0 then return 0 end
if redis.call('HGET', KEYS[1], 'store_prober') == ARGV[1] then return 1 end
if now < num('store_probe_at') then return 0 end
local tries = num('store_tries') + 1
redis.call('HSET', KEYS[1], 'store_prober', ARGV[1], 'store_tries', tries,
  'store_probe_at', string.format('%.0f', now + math.min(ARGV[2] * 2 ^ tries, tonumber(ARGV[3]))))
return 1
