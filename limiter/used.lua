-- used: how many calls a second were admitted over the last ten seconds.
-- KEYS: 1 limiter hash, 2 account hash. Answers the rate as text.
local now = micros / 1000000
local function num(f) return tonumber(redis.call('HGET', KEYS[1], f) or '') or 0 end
local slot, over = math.floor(now / 10), now / 10 - math.floor(now / 10)
local n, before, at = num('slot.now'), num('slot.before'), num('slot')
local used = 0
if at == slot then
  used = (before * (1 - over) + n) / 10
elseif at == slot - 1 then
  used = n * (1 - over) / 10
elseif at == slot + 1 then
  -- A call was given a moment of the next slot, up to a second ahead: what was
  -- the present slot is the one before, and almost over.
  used = before / over / 10
end
return string.format('%.3f', used)
