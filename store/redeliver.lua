-- redeliver: makes a delivery due now, under a new number.
-- ARGV: id, token, the present number where its task is lost; 0 to begin the
-- deliveries anew, whatever came of them.
local id, token = ARGV[1], ARGV[2]
if redis.call('EXISTS', R) == 0 then return {'gone'} end
if noted(token) then return {'won', int(now), int(num('dn')), int(num('due'))} end
if get('cb') ~= '1' or not FINAL[get('st')] then return {'stale'} end
if ARGV[3] == '0' then
  redis.call('HSET', R, 'd0', int(now))
  redis.call('HDEL', R, 'da', 'dl') -- The plan begins anew as well, without an attempt.
  redis.call('HDEL', X, 'cbe')
elseif get('ds') ~= 'pending' or get('dn') ~= ARGV[3] then
  return {'stale'}
end
note(token)
deliver(id, now, 'scheduled')
return {'won', int(now), int(num('dn')), int(num('due'))}
