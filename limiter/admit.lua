-- admit: may one call to the vendor's API be made, and when?
-- KEYS: 1 limiter hash, 2 account hash. ARGV: interval us, patience us, lead us, op, 1 where
-- it is asked in passing: a call that cannot be made at once is asked for again.
-- Answers {verdict, wait us}: "go" with the time to wait in place until the
-- reserved moment, "wait" with the time after which to ask again, else why not and when
-- to come back.
local now = micros
local interval, patience, lead, op = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local limits = redis.call('HMGET', KEYS[1], 'tat', 'blocked', 'far', 'slot', 'slot.now', 'slot.before')
for i = 1, 6 do limits[i] = tonumber(limits[i] or '') or 0 end
local tat, blocked, far, old, n, before = unpack(limits)

-- A pause stops all but the probe that may end it. A used-up plan leaves polls. Where the
-- vendor answers again but took no submission, only these wait: one is let through for
-- each probe that succeeds.
local account = redis.call('HMGET', KEYS[2], 'reason', 'trial', 'trial_free', 'store_since', 'store_probe_at')
local reason, trial = account[1] or '', account[2] == '1'
local submits = op == 'submit' or op == 'resubmit'
if reason ~= '' and op ~= 'probe' then
  local open = reason == 'quota' and (op == 'poll' or op == 'repoll') or trial and (not submits or account[3] == '1')
  if not open then return {'paused', 5000000} end
end
-- Where the document store fails, whatever the vendor answers would be thrown away.
if account[4] and op ~= 'probe' then
  return {'store', math.max(1000 * (tonumber(account[5]) or 0) - now, 1000000)}
end

-- tat is the moment from which the next call is within the rate (GCRA without
-- a burst: a burst of b lets b + rate calls into one second at the vendor).
-- No call reserves more than a second ahead: what is much further away is of a clock
-- that has gone back since, or of a rate that was lower.
if tat > now + 1000000 + math.max(interval, 10000000) then tat = 0 end
local at = math.max(now, tat, blocked)
if at - now <= patience and at - now > lead then
  return {'wait', at - now - lead}
end
-- far is the end of the line of polls that were sent away. They come back right after
-- whole seconds and find their moments before those that come new: these wait for that,
-- and leave them the seconds to come.
-- One that is further away than it can have been put is of another time of the clock.
if far > at + 301000000 + interval then far = 0 end
local ready = at - now <= patience
if op == 'poll' and far > now then
  local second = now - now % 1000000
  if ready and now - second < 100000 then return {'wait', second + 100000 - now} end
  ready = ready and at < second + 1000000
end
if ready then
  -- Calls are counted in slots of ten seconds, the present one and the one
  -- before, by the moment they were given: used.lua makes a rate of them.
  local slot = math.floor(at / 10000000)
  if slot ~= old then
    before = slot == old + 1 and n or 0
    n = 0
  end
  redis.call('HSET', KEYS[1], 'tat', string.format('%.0f', at + interval),
    'slot', slot, 'slot.now', n + 1, 'slot.before', before)
  if trial and submits then redis.call('HDEL', KEYS[2], 'trial_free') end
  return {'go', at - now}
end
if ARGV[5] == '1' then return {'later', 0} end
-- Too far away to reserve. They come back on a whole second: rather a little before
-- their place, to wait for it, than after it. Of submissions no more are under way than
-- the rate lets through in a second; a sweep or a probe is not retried, as the
-- next one is another; and a poll that has been in the line and found its moment taken
-- tries the next second.
if submits or op == 'sweep' or op == 'probe'
  or op == 'repoll' and at - now < 1000000 + 2 * interval then
  return {'later', math.max(at - now - 900000, 1000)}
end
-- Others come back one interval apart, or ten thousand would come back together. Places
-- can be further away than there are calls to make, as who is made to run before that
-- takes another one: five minutes at most, as between two polls.
far = math.min(math.max(at, far), at + 300000000)
redis.call('HSET', KEYS[1], 'far', string.format('%.0f', far + interval))
return {'later', math.max(far - now - 900000, 1000)}
