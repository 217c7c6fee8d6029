-- begin: takes the lease of one step.
-- ARGV: id, token, seq, lease ms, step. A submission needs an in-flight slot.
-- A rider admits the call to the vendor that the step begins with. A submission has begun
-- then, and another may have its turn. It is not asked where the step begins in another way.
-- A task of another step than the record's is none of this record's tasks.
-- Only what has been released may take a slot. Anything else, as a repetition after
-- trouble, goes at once where none waits and there is room, and stands in the line
-- otherwise, with the fence moved: its task comes to nothing.
local id, token = ARGV[1], ARGV[2]
if redis.call('EXISTS', R) == 0 then return {'gone'} end
if over() then return {'final'} end
local admitted = false
local moved = get('ltok') == call() and waits(id)
if get('seq') ~= ARGV[3] and not moved then return {'stale'} end
if get('step') ~= ARGV[5] then return {'stale'} end
if get('own') ~= token then
  if get('own') ~= '' then return {'busy'} end
  if ARGV[5] == 'submit' and not redis.call('ZSCORE', INFLIGHT, id) then
    if not redis.call('ZSCORE', RELEASED, id) then
      local why = barred() or redis.call('ZCARD', LINE) > 0 and 'scheduled'
      if why and not moved then
        stand(id)
        put('seq', int(ARGV[3] + 1), 'ltok', call(), 'bc', why)
      end
      if why or moved then
        return {'waits', int(now), redis.call('HGETALL', R), redis.call('HGET', X, 'in') or ''}
      end
    end
    -- What the vendor may have already only has to be asked for.
    if get('ph') == '' then redis.call('ZADD', RELEASED, 0, id) else redis.call('ZREM', RELEASED, id) end
    redis.call('ZADD', INFLIGHT, int(now), id)
  end
  if ride and (ARGV[5] == 'poll' or get('vid') == '' and (get('ph') == '' or get('ph') == 'sending')) then
    admitted = ride()[1] == 'go'
    if admitted and ARGV[5] == 'submit' then
      put('ph', 'sending')
      redis.call('ZREM', RELEASED, id)
    end
  end
  put('own', token, 'lease', int(now + ARGV[4]))
  drop('orph')
  -- The question that follows answers the hint. One that comes from now on may be
  -- about something that this question came too early for.
  -- Nor is that poll put off, as a planned one may be.
  if get('hint') ~= '' and asks(get('step')) then drop('hint', 'pn') end
  redis.call('ZADD', DUE, int(now + ARGV[4]), id)
  if get('st') == 'QUEUED' then move(id, 'SUBMITTING') end
end
return {'won', int(now), redis.call('HGETALL', R), redis.call('HGET', X, 'in') or '', admitted and 1 or 0, others()}
