-- learn: what one finished extraction showed of the time the vendor takes.
-- KEYS: the account's hash, that of the document type. ARGV: growth, whether a webhook
-- told of the end and whether a list did (1, 0, or empty where neither was to be
-- expected), pairs of bin and weight.
-- Older extractions weigh less: instead of shrinking all that is there, each new
-- one weighs more than the one before (forward decay), by the field "w".
for _, key in ipairs(KEYS) do
  local w = tonumber(redis.call('HGET', key, 'w') or '1')
  for i = 4, #ARGV, 2 do redis.call('HINCRBYFLOAT', key, ARGV[i], w * ARGV[i + 1]) end
  w = w * ARGV[1]
  if w > 1e6 then -- Before the numbers get too large, all is put to scale.
    local all = redis.call('HGETALL', key)
    for i = 1, #all, 2 do
      if tonumber(all[i]) then
        local v = tonumber(all[i + 1]) / w
        if v < 1e-4 then redis.call('HDEL', key, all[i]) else redis.call('HSET', key, all[i], tostring(v)) end
      end
    end
    w = 1
  end
  redis.call('HSET', key, 'w', string.format('%.17g', w))
  redis.call('EXPIRE', key, 7776000) -- A type that nobody has used for 90 days.
end
-- The share of ends that nobody told of, over about the latest thirty.
for field, told in pairs({hook = ARGV[2], list = ARGV[3]}) do
  if told ~= '' then
    local n = redis.call('HINCRBY', KEYS[1], field .. '.n', 1)
    local missed = tonumber(redis.call('HGET', KEYS[1], field) or '1')
    missed = missed + (1 - told - missed) / math.min(n + 1, 30)
    redis.call('HSET', KEYS[1], field, tostring(missed))
  end
end
return 'won'
