-- audit: which invariants an extraction breaks, all seen at one moment. It changes
-- nothing. ARGV: id, token.
local id = ARGV[1]
local broken = {}
local function want(name, holds) if not holds then broken[#broken + 1] = name end end
local function member(index) return redis.call('ZSCORE', index, id) and true or false end
local indexes = {due = DUE, list = LIST, ['in flight'] = INFLIGHT, queued = QUEUED, ready = READY, released = RELEASED}
local st, step, ds = get('st'), get('step'), get('ds')
if redis.call('EXISTS', R) == 0 then
  for name, index in pairs(indexes) do want('what is erased is not in the index: ' .. name, not member(index)) end
  want('what is erased has no detail and no upload URL', redis.call('EXISTS', X, U) == 0)
  return {'won', broken}
end
local final, vid, key = FINAL[st] or false, get('vid'), redis.call('HGET', X, 'key')
local line = waits(id) and true or false
want('it is in the list', member(LIST))
want('it is in the index of its batch', get('bt') ~= '1' or member(BATCH))
want('it is due, or stands in the line, and not both', member(DUE) ~= line)
want('a lease has an owner and an end', (get('own') == '') == (get('lease') == ''))
want('a final status has no lease', not over() or get('own') == '')
want('it holds a slot while it is submitted or in progress', member(INFLIGHT) == (st == 'SUBMITTING' or st == 'IN_PROGRESS'))
want('it is queued until it is submitted', member(QUEUED) == (st == 'QUEUED'))
want('only what is queued stands in the line', not line or st == 'QUEUED')
want('only what is to be submitted is released', not member(RELEASED) or st == 'QUEUED' or st == 'SUBMITTING')
want('only what is final is ready', not member(READY) or final)
want('its end is written once, and whole', final == (get('fin') ~= '') and final == (get('exp') ~= ''))
want('a success has its result', st ~= 'SUCCESS' or num('res') > 0)
want('it has a step until its end', final or step == 'submit' or step == 'poll')
want('a delivery is due while it is pending', fetching() or (ds == 'pending') == (step == 'deliver'))
want('a producer that asked for a callback gets one', not final or get('cb') ~= '1' or ds ~= '')
want('its vendor id leads to it', vid == '' or redis.call('HEXISTS', VIDS, vid) == 1)
want('its idempotency key leads to it', not key or string.sub(redis.call('HGET', IDEM, key) or '', 1, #id) == id)
return {'won', broken}
