-- redeliver: makes a delivery due now, under a new number.
-- ARGV: id, token, the present number, 1 to begin the deliveries anew, whatever came of them,
-- or 0 where the task of that one is lost.
local id, token = ARGV[1], ARGV[2]
if redis.call('EXISTS', R) == 0 then return {'gone'} end
if get('dtok') == token then return {'won', int(now), int(num('dn')), int(num('due'))} end
if get('cb') ~= '1' or not FINAL[get('st')] or num('dn') ~= tonumber(ARGV[3]) then return {'stale'} end
if ARGV[4] == '1' then
  put('d0', int(now))
  drop('da', 'dl') -- The plan begins anew as well, without an attempt.
  redis.call('HDEL', X, 'cbe')
elseif get('ds') ~= 'pending' then
  return {'stale'}
end
put('dtok', token)
deliver(id, now, 'scheduled')
return {'won', int(now), int(num('dn')), int(num('due'))}
