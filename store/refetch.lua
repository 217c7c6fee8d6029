-- refetch: makes it due to ask the vendor once more for the result of a SUCCESS, because
-- what is stored is damaged or gone.
-- ARGV: id, token, the result that was found so.
-- What is being delivered at this moment is no longer the present delivery: the next one
-- waits for the result.
local id = ARGV[1]
if redis.call('EXISTS', R) == 0 then return {'gone'} end
if get('ltok') ~= call() then
  if get('st') ~= 'SUCCESS' or get('vid') == '' or num('res') ~= tonumber(ARGV[3]) then return {'stale'} end
  if fetching() then
    -- Its task may be lost: reconcile looks.
    if get('own') == '' then redis.call('ZADD', DUE, int(now + GRACE), id) end
    return {'busy'}
  end
  if get('ds') == 'pending' then put('dn', int(num('dn') + 1)) end
  drop('orph', 'pe', 'fs', 'nf')
  put('seq', int(num('seq') + 1), 'ltok', call(), 'step', 'poll', 'bc', 'scheduled', 'due', int(now))
  redis.call('ZADD', DUE, int(now + GRACE), id)
end
return {'won', int(now), int(num('seq')), int(num('due'))}
