-- clock: reads the time of an account, which is Redis's with an offset. The offset takes
-- back what Redis's clock has jumped, and wears off at 2 % of the time that passes.
-- KEYS: 1 the limiter's state of the account. ARGV: Redis's time as the caller expects it
-- in ms (0 where it has read none before), by how many ms it may differ, the offset that
-- the caller saw, and the one that it is to be (empty: as it is).
-- Answers Redis's own time, the offset, and the last time that a caller has confirmed (0: none).
local t = redis.call('TIME')
local raw = t[1] * 1000 + math.floor(t[2] / 1000)
local account = redis.call('HMGET', KEYS[1], 'clock', 'clock_high')
local was, high = tonumber(account[1] or '') or 0, tonumber(account[2] or '') or 0
local offset, expected = was, tonumber(ARGV[1])
-- Of all that see a jump, one takes it back.
if ARGV[4] ~= '' and math.abs(was - ARGV[3]) < 1000 then offset = tonumber(ARGV[4]) end
-- An account's time never goes back behind what a caller has confirmed: that passed.
if raw + offset < high then offset = high - raw end
if expected > 0 and math.abs(raw - expected) <= tonumber(ARGV[2]) then
  if high > 0 then
    local worn = math.floor(math.min(raw + offset - high, 60000) / 50)
    offset = offset > 0 and math.max(offset - worn, 0) or math.min(offset + worn, 0)
  end
  redis.call('HSET', KEYS[1], 'clock_high', string.format('%.0f', raw + offset))
end
if offset == 0 then
  if was ~= 0 then redis.call('HDEL', KEYS[1], 'clock') end
elseif offset ~= was then
  redis.call('HSET', KEYS[1], 'clock', string.format('%.0f', offset))
end
return {raw, offset, high}
