-- What every script starts with. The last of KEYS is the account's hash: it has by how many
-- ms the account's time is ahead of Redis's, because that has jumped (store/clock.lua). The
-- last two of ARGV are the times in ms between which the caller expects Redis's clock, 0 and 0
-- for any: where it shows another one, it has jumped since.
local t = redis.call('TIME')
local micros = t[1] * 1000000 + t[2]
local latest, earliest = 1000 * tonumber(table.remove(ARGV)), 1000 * tonumber(table.remove(ARGV))
if latest > 0 and (micros < earliest or micros > latest) then return {'clock'} end
micros = micros + 1000 * (tonumber(redis.call('HGET', KEYS[#KEYS], 'clock') or '') or 0)
local now = math.floor(micros / 1000)
