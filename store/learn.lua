-- learn: what one finished extraction showed of the time the vendor takes.
-- KEYS: one hash for each histogram it belongs to. ARGV: growth, share told of (0
-- to 1; -1 where nothing is known), pairs of bin and weight.
-- Older extractions weigh less: instead of shrinking all that is there, each new
-- one weighs more than the one before (forward decay), by the field "w".
for _, key in ipairs(KEYS) do
  local w = tonumber(redis.call('HGET', key, 'w') or '1')
  for i = 3, #ARGV, 2 do redis.call('HINCRBYFLOAT', key, ARGV[i], w * ARGV[i + 1]) end
  if tonumber(ARGV[2]) >= 0 then
    redis.call('HINCRBYFLOAT', key, 'told', w * ARGV[2])
    redis.call('HINCRBYFLOAT', key, 'asked', w * (1 - ARGV[2]))
  end
  w = w * ARGV[1]
  if w > 1e6 then -- Before the numbers get too large, all is put to scale.
    local all = redis.call('HGETALL', key)
    for i = 1, #all, 2 do
      local v = tonumber(all[i + 1]) / w
      if v < 1e-4 then redis.call('HDEL', key, all[i]) else redis.call('HSET', key, all[i], tostring(v)) end
    end
    w = 1
  end
  redis.call('HSET', key, 'w', string.format('%.17g', w))
  redis.call('EXPIRE', key, 7776000) -- A type that nobody has used for 90 days.
end
return 'won'
