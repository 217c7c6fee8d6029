-- admit: may one call to the vendor's API be made, and when?
-- KEYS: 1 limiter hash, 2 account hash. ARGV: interval us, patience us, op.
-- Answers {verdict, wait us}: "go" with the time to wait in place until the
-- reserved moment, else why not and when to come back.
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local interval, patience, op = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local function num(f) return tonumber(redis.call('HGET', KEYS[1], f) or '') or 0 end

-- A pause stops all but the probe that may end it; a used-up plan leaves polls.
local reason = redis.call('HGET', KEYS[2], 'reason') or ''
if reason ~= '' and op ~= 'probe' and not (reason == 'quota' and op == 'poll') then
  return {'paused', 5000000}
end

-- tat is the moment from which the next call is within the rate (GCRA without
-- a burst: a burst of b lets b + rate calls into one second at the vendor).
-- Nobody reserves more than a second ahead: what is much further away is of a clock
-- that has gone back since, or of a rate that was lower.
local tat = num('tat')
if tat > now + 1000000 + math.max(interval, 10000000) then tat = 0 end
local at = math.max(now, tat, num('blocked'))
if at - now <= patience then
  -- Calls are counted in slots of ten seconds, the present one and the one
  -- before, by the moment they were given: used.lua makes a rate of them.
  local slot, old = math.floor(at / 10000000), num('slot')
  local n, before = num('slot.now'), num('slot.before')
  if slot ~= old then
    before = slot == old + 1 and n or 0
    n = 0
  end
  redis.call('HSET', KEYS[1], 'tat', string.format('%.0f', at + interval),
    'slot', slot, 'slot.now', n + 1, 'slot.before', before)
  return {'go', at - now}
end
-- Too far away to reserve. Those who are sent away come back one interval
-- apart, or ten thousand of them would come back together; polls do not queue
-- behind the submits that were sent away. Who is made to run before that takes
-- another place when it is sent away again, so places can be further away than there
-- are calls to make: five minutes at most, as between two polls.
local clock = (op == 'submit' or op == 'resubmit') and 'far.submit' or 'far.poll'
local far = math.min(math.max(at, num(clock)), at + 300000000)
-- Nobody comes back for a sweep: the next one is another.
if op ~= 'sweep' then
  redis.call('HSET', KEYS[1], clock, string.format('%.0f', far + interval))
end
return {'later', far - now}
