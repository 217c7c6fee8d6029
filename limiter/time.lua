-- What every script starts with. The last of KEYS is the account's hash: it has by how many
-- ms the account's time is ahead of Redis's, because that has jumped (store/clock.lua).
local t = redis.call('TIME')
local micros = t[1] * 1000000 + t[2] + 1000 * (tonumber(redis.call('HGET', KEYS[#KEYS], 'clock') or '') or 0)
local now = math.floor(micros / 1000)
