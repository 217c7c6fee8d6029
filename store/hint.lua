-- hint: a webhook or a list says that the vendor has finished an extraction. It may be wrong,
-- late or repeated: it makes the next question come sooner and does nothing else.
-- ARGV: id, token, vendor id, source.
-- The answer says which task is to run now; an empty step is none.
local id, vid = ARGV[1], ARGV[3]
if redis.call('EXISTS', R) == 0 then return {'gone'} end
if FINAL[get('st')] then return {'final'} end
local ph, mine = get('ph'), get('vid')
-- Where the vendor's answer is open, it is unknown whether that is its id.
local open = mine == '' and (ph == 'sending' or ph == 'sent' or ph == 'uncertain')
if mine ~= vid and not open then return {'stale'} end
put('hint', '1')
put(ARGV[4] == 'hook' and 'hk' or 'hl', '1')
-- Who holds a step ends it with next, which sees the hint.
-- What waits for its turn begins with the question.
if get('own') ~= '' or waits(id) or not asks(get('step')) then return {'won', int(now), int(num('seq')), int(num('due')), ''} end
local due = hurried(num('due'))
if due < num('due') then
  -- asynq can run a task now and not at another time: that is left to reconcile.
  put('due', int(due))
  redis.call('ZADD', DUE, int(due > now and due or now + GRACE), id)
end
return {'won', int(now), int(num('seq')), int(due), due <= now and get('step') or ''}
