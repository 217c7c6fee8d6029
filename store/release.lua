-- release: gives those their turn that have waited longest for it, as many as there
-- is room for. ARGV: unused, token, how many at most. Answers their ids.
-- A customer who still has others in the line has the turn after this one.
-- What has its turn is due, and waits for none of what it stood in the line for.
local ids = {}
while #ids < tonumber(ARGV[3]) do
  local turn = redis.call('ZRANGE', TURNS, 0, 0, 'WITHSCORES')
  if not turn[1] or barred() then break end
  local at, number = turn[1], tonumber(turn[2])
  local first = head(at)
  if first then
    local id = string.sub(first, #at + 1)
    redis.call('ZREM', LINE, first)
    redis.call('ZADD', RELEASED, int(now), id)
    redis.call('ZADD', DUE, int(now + GRACE), id)
    local record = R .. id -- R is that of the empty id.
    if redis.call('EXISTS', record) == 1 then redis.call('HSET', record, 'bc', 'scheduled', 'due', int(now)) end
    redis.call('HSET', GATE, string.sub(at, 1, 1), int(number))
    ids[#ids + 1] = id
  end
  if head(at) then redis.call('ZADD', TURNS, int(number + 1), at) else redis.call('ZREM', TURNS, at) end
end
return {'won', ids}
