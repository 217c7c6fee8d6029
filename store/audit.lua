-- audit: which invariants an extraction breaks, all seen at one moment. It changes
-- nothing. ARGV: id, token, how many vendor ids lead to it, these, idempotency keys that do.
local id = ARGV[1]
local broken = {}
local function want(name, holds) if not holds then broken[#broken + 1] = name end end
local function member(index) return redis.call('ZSCORE', index, id) and true or false end
local function leads(key) return string.sub(redis.call('HGET', IDEM, key) or '', 1, #id) == id end
local indexes = {due = DUE, list = LIST, ['in flight'] = INFLIGHT, queued = QUEUED, ready = READY, released = RELEASED}
local st, step, ds = get('st'), get('step'), get('ds')
local vid, key = get('vid'), redis.call('HGET', X, 'key') or ''
-- They may have gone since the caller has seen them.
for i = 4, #ARGV do
  if i <= 3 + ARGV[3] then
    want('a vendor id that leads to it is its own', vid == ARGV[i] or redis.call('HGET', VIDS, ARGV[i]) ~= id)
  else
    want('an idempotency key that leads to it is its own', key == ARGV[i] or not leads(ARGV[i]))
  end
end
if redis.call('EXISTS', R) == 0 then
  for name, index in pairs(indexes) do want('what is erased is not in the index: ' .. name, not member(index)) end
  want('what is erased has no detail and no upload URL', redis.call('EXISTS', X, U) == 0)
  return {'won', broken}
end
local final = FINAL[st] or false
local line = waits(id) and true or false
want('it is in the list', member(LIST))
want('it has its input', redis.call('HEXISTS', X, 'in') == 1)
want('it is in the index of its batch', get('bt') ~= '1' or member(BATCH))
want('it is due, or stands in the line, and not both', member(DUE) ~= line)
want('who stands in the line has a turn', not line or redis.call('ZSCORE', TURNS, place()))
want('a lease has an owner and an end', (get('own') == '') == (get('lease') == ''))
want('a lease that ends is seen', get('own') == '' or (tonumber(redis.call('ZSCORE', DUE, id) or '') or 0) <= num('lease'))
want('a final status has no lease', not over() or get('own') == '')
want('it holds a slot while it is submitted or in progress', member(INFLIGHT) == (st == 'SUBMITTING' or st == 'IN_PROGRESS'))
want('it is queued until it is submitted', member(QUEUED) == (st == 'QUEUED'))
want('only what is queued stands in the line', not line or st == 'QUEUED')
want('only what is to be submitted is released', not member(RELEASED) or st == 'QUEUED' or st == 'SUBMITTING')
want('only what is final is ready', not member(READY) or final)
want('its end is written once, and whole', final == (get('fin') ~= '') and final == (get('exp') ~= '') and final == (get('dexp') ~= ''))
want('what has ended is in no phase, and waits for no hint', not final or get('ph') == '' and get('hint') == '')
want('what has ended has no upload URL', not final or redis.call('EXISTS', U) == 0)
want('a success has its result', st ~= 'SUCCESS' or num('res') > 0)
want('it has a step until its end', final or step == 'submit' or step == 'poll')
want('a delivery is due while it is pending', fetching() or (ds == 'pending') == (step == 'deliver'))
want('a producer that asked for a callback gets one', not final or get('cb') ~= '1' or ds ~= '')
want('a delivery has a number, and a time since when', (ds == '') == (num('dn') == 0) and (ds == '') == (get('d0') == ''))
want('what is repeated has ended', final or get('rb') == '')
-- What has ended may have left its id to its repetition, which may be erased.
want('its vendor id leads to it', vid == '' or redis.call('HGET', VIDS, vid) == id or final)
want('a webhook that named its vendor id has reached it', final or not redis.call('ZSCORE', EARLY, vid))
want('its idempotency key leads to it', key == '' or leads(key))
return {'won', broken}
