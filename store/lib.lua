-- What every record script starts with. KEYS, the same for all of them:
-- 1 record, 2 detail, 3 upload, 4 due, 5 list, 6 in flight, 7 vendor ids,
-- 8 ready, 9 events, 10 batch, 11 batch counts (10 and 11 are unused names
-- where an extraction has no batch), 12 queued, 13 tombstones, 14 idempotency
-- keys, 15 batches, 16 gate, 17 line, 18 turns, 19 released, 20 the limiter's state
-- of the account, 21 early hooks, 22 emptied batches. Before it stand NAME, the script's,
-- GRACE, that of records.go in ms, and ride, a rider's (rider.go) where there is one. The last two of ARGV are the times in ms between which
-- the caller expects Redis's clock, 0 and 0 for any.
local R, X, U, DUE, LIST, INFLIGHT, VIDS, READY, EVENTS, BATCH = unpack(KEYS, 1, 10)
local COUNTS, QUEUED, TOMBS, IDEM, BATCHES, GATE, LINE, TURNS, RELEASED, ACCOUNT, EARLY, EMPTIED = unpack(KEYS, 11, 22)
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
-- Redis's clock has jumped where it shows another time than the caller expects.
local latest, earliest = tonumber(table.remove(ARGV)), tonumber(table.remove(ARGV))
if latest > 0 and (now < earliest or now > latest) then return {'clock'} end
-- The offset takes earlier jumps back.
now = now + (tonumber(redis.call('HGET', ACCOUNT, 'clock') or '') or 0)
-- An attempt without a token would pass for the holder of a record without a lease.
if ARGV[2] == '' then return {'stale'} end
local FINAL = {SUCCESS = true, ERROR = true, EXPIRED = true, CANCELED = true}

-- call names this call by everything it was told. go-redis repeats a call word for word
-- when its answer was lost: the script that moved the record keeps the name, and answers
-- "won" to the same call only. A token alone would confirm another step of its holder.
local function call() return redis.sha1hex(NAME .. '\0' .. table.concat(ARGV, '\0')) end

-- fields are those of the record that have been read or written; '' is none.
local fields = {}

local function get(field)
  local value = fields[field]
  if not value then
    value = redis.call('HGET', R, field) or ''
    fields[field] = value
  end
  return value
end

local function num(field) return tonumber(get(field)) or 0 end

-- put and drop write fields of the record.
local function put(...)
  local written = {...}
  for i = 1, #written, 2 do fields[written[i]] = tostring(written[i + 1]) end
  redis.call('HSET', R, ...)
end

local function drop(...)
  for _, field in ipairs({...}) do fields[field] = '' end
  redis.call('HDEL', R, ...)
end

-- fetching reports whether the result of a SUCCESS is fetched from the vendor once more.
-- That is the one step that begins after the end, and it changes nothing of the end.
local function fetching() return get('st') == 'SUCCESS' and get('step') == 'poll' end

-- over reports whether an extraction has ended and has no step left but deliveries.
local function over() return FINAL[get('st')] and not fetching() end

-- int writes a number of milliseconds without an exponent.
local function int(n) return string.format('%.0f', n) end

-- count changes one of the batch's counts; an empty name is none.
local function count(name, by)
  if name == '' then return end
  if redis.call('HINCRBY', COUNTS, name, by) == 0 then redis.call('HDEL', COUNTS, name) end
end

-- The line of an account is one sorted set of names CLASS CUSTOMER/ID, all with the
-- score 0 and therefore ordered by name: the extractions of one customer stand
-- together, oldest first. TURNS says which customer's turn is when. Each takes one
-- extraction a turn (start-time fair queueing with equal costs); a new customer
-- is served next, however many others wait. The gate has the
-- present turn of each class. The turns of bulk begin where those of normal end.
local FIRST = {n = 0, b = 2 ^ 51}

-- place is where the record's customer stands in the line.
local function place() return (get('pr') == 'bulk' and 'b' or 'n') .. get('cu') .. '/' end

-- others reports whether any extraction waits for its turn.
local function others() return redis.call('EXISTS', LINE) end

-- head is the first in a place; nil where it is empty. "0" follows "/".
local function head(at)
  return redis.call('ZRANGEBYLEX', LINE, '[' .. at, '(' .. string.sub(at, 1, -2) .. '0', 'LIMIT', 0, 1)[1]
end

local function waits(id) return redis.call('ZSCORE', LINE, place() .. id) end

-- stand puts an extraction into the line. It is in no other index that workers
-- read: what stands in the line is due when it is released.
local function stand(id)
  local at = place()
  local class = string.sub(at, 1, 1)
  redis.call('ZADD', LINE, 0, at .. id)
  redis.call('ZADD', TURNS, 'NX', int((tonumber(redis.call('HGET', GATE, class) or '') or FIRST[class]) + 1), at)
  redis.call('ZREM', DUE, id)
  redis.call('ZREM', RELEASED, id)
end

-- quit takes an extraction out of the line, if it stands there.
local function quit(id)
  local at = place()
  if redis.call('ZREM', LINE, at .. id) == 1 and not head(at) then redis.call('ZREM', TURNS, at) end
end

-- barred says why nothing may be released now; nil where something may. Released is
-- what has its turn and no vendor call yet: with a score of 0 once it holds a slot.
-- Before a worker has said how much it takes, nothing is released.
local function barred()
  local account = redis.call('HMGET', ACCOUNT, 'reason', 'trial_free', 'store_since')
  local trial = account[2] == '1' and redis.call('ZCARD', RELEASED) == 0
  if (account[1] or '') ~= '' and not trial then return 'account_paused' end
  if account[3] then return 'store' end
  local gate = redis.call('HMGET', GATE, 'window', 'slots', 'why')
  if not gate[1] then return 'scheduled' end
  local held = redis.call('ZCARD', INFLIGHT) + redis.call('ZCOUNT', RELEASED, '(0', '+inf')
  if held >= tonumber(gate[2]) then return 'in_flight' end
  if redis.call('ZCARD', RELEASED) >= tonumber(gate[1]) then return gate[3] or 'scheduled' end
  return nil
end

-- tell lets those look who listen.
local function tell(id) redis.call('XADD', EVENTS, 'MAXLEN', '~', 10000, '*', 'id', id, 'status', get('st')) end

-- move changes the status, tells the listeners, and keeps the batch's counts and
-- the list of what waits for its submission, oldest first.
local function move(id, to)
  local from = get('st')
  if from == to then return end
  put('st', to)
  if get('bt') == '1' then
    count(from, -1)
    count(to, 1)
    local customer = get('cu')
    if customer ~= '' then
      count(from ~= '' and customer .. ':' .. from or '', -1)
      count(customer .. ':' .. to, 1)
    end
  end
  if to == 'QUEUED' then
    redis.call('ZADD', QUEUED, num('cr'), id)
  elseif from == 'QUEUED' then
    redis.call('ZREM', QUEUED, id)
    quit(id)
  end
  if to ~= 'QUEUED' and to ~= 'SUBMITTING' then redis.call('ZREM', RELEASED, id) end
  tell(id)
end

-- unmap takes the vendor id back from an extraction, unless another has taken it
-- over.
local function unmap(id)
  local vid = get('vid')
  if vid ~= '' and redis.call('HGET', VIDS, vid) == id then redis.call('HDEL', VIDS, vid) end
end

-- known maps a vendor id to the extraction. A hook that named it before any record
-- knew it is a hint.
local function known(id, vid)
  redis.call('HSET', VIDS, vid, id)
  if redis.call('ZREM', EARLY, vid) == 1 then put('hint', '1', 'hk', '1') end
end

-- set writes the field-value pairs of ARGV[from..]; an empty value deletes, and of one field
-- the last counts. The pseudo-fields x.NAME go to the detail hash, "upload" to its own key.
local function set(id, from)
  local new, puts, drops = {}, {}, {}
  for i = from, #ARGV, 2 do
    local f, v = ARGV[i], ARGV[i + 1]
    if f == 'upload' then
      if v == '' then redis.call('DEL', U) else redis.call('SET', U, v) end
    elseif string.sub(f, 1, 2) == 'x.' then
      -- Trouble, where there was any, is over since the first success after it.
      if f == 'x.last' then redis.call('HDEL', X, 'over') end
      if f == 'x.over' then
        local trouble = redis.call('HMGET', X, 'last', 'over')
        v = trouble[1] and (trouble[2] or v) or ''
      end
      if v == '' then redis.call('HDEL', X, string.sub(f, 3)) else redis.call('HSET', X, string.sub(f, 3), v) end
    else
      new[f] = v
    end
  end
  -- A call has begun: another may have its turn.
  if (new.ph or '') ~= '' then redis.call('ZREM', RELEASED, id) end
  if new.vid then
    if get('vid') ~= new.vid then unmap(id) end
    if new.vid ~= '' then known(id, new.vid) end
  end
  for f, v in pairs(new) do
    if v == '' then
      drops[#drops + 1] = f
    else
      puts[#puts + 1] = f
      puts[#puts + 1] = v
    end
  end
  if #puts > 0 then put(unpack(puts)) end
  if #drops > 0 then drop(unpack(drops)) end
end

-- supplants reports whether the pairs of ARGV[from..] would replace a vendor id by
-- another. One that may have been paid for is taken back first, or it would be lost.
local function supplants(from)
  local vid = get('vid')
  if vid == '' then return false end
  for i = from, #ARGV, 2 do
    if ARGV[i] == 'vid' and ARGV[i + 1] ~= '' and ARGV[i + 1] ~= vid then return true end
  end
  return false
end

-- again is the verdict on a call under a lease that is not later than the latest one of its
-- kind: a repetition of that one is confirmed, one of an earlier call is refused. It is nil
-- for a call that is to have its effect. A holder numbers its calls in the order it makes them.
local function again(field, n)
  local by = tonumber(n) - num(field)
  if by == 0 then return 'won' elseif by < 0 then return 'stale' end
end

-- release ends a lease.
local function release() drop('own', 'lease', 'orph', 'mk', 'rn') end

-- asks reports whether a step begins by asking the vendor, so that it may come
-- sooner: polls, and submissions of which the vendor may have something already.
local function asks(step)
  local ph = get('ph')
  return step == 'poll' or ph == 'opened' or ph == 'uncertain'
end

-- hurried is when a step that was due at some time is due after a hint. The first
-- hint of an extraction counts at once. Who repeats them gets ever less for it: the
-- nth one counts 2, 4, 8 … 300 s after the one before.
local function hurried(due)
  local n, at = num('hn'), now
  if n > 0 then at = num('ht') + math.min(2000 * 2 ^ (n - 1), 300000) end
  -- asynq fires on whole seconds and may be up to one early.
  if at > now then at = math.ceil(at / 1000) * 1000 else at = now end
  if at >= due then return due end
  put('hn', int(n + 1), 'ht', int(at))
  return at
end

-- after is when reconcile looks at a final extraction next: for its document, which may go
-- at once, or for the rest. Once the document is gone, that look finds nothing to do and
-- names the next one.
local function after() return math.min(num('dexp'), num('exp')) end

-- noted reports whether it has been noted what came of a delivery: a call whose answer was
-- lost may come again after others, and would count its attempt twice, or end a delivery that
-- was asked for since. note keeps the latest ten, by their numbers; what is older than these
-- counts as noted. That a delivery arrived after all may follow on its failure.
local function outcome(n, delivered) return n .. (delivered and 'd' or '') end
local function noted(n, delivered)
  local count, least = 0, math.huge
  for word in string.gmatch(get('dns'), '%S+') do
    if word == outcome(n, delivered) then return true end
    count, least = count + 1, math.min(least, tonumber(string.match(word, '%d+')))
  end
  return count >= 10 and tonumber(n) < least
end
local function note(n, delivered)
  local words = {outcome(n, delivered)}
  for word in string.gmatch(get('dns'), '%S+') do
    if #words < 10 then words[#words + 1] = word end
  end
  put('dns', table.concat(words, ' '))
end

-- deliver makes the next delivery to the producer due. What was seen of the one before
-- says nothing about it. While the result is fetched, it waits for that.
local function deliver(id, due, because)
  put('ds', 'pending', 'dn', int(num('dn') + 1))
  if fetching() then return end
  drop('orph')
  put('step', 'deliver', 'bc', because, 'due', int(due))
  redis.call('ZADD', DUE, int(math.min(due + GRACE, after())), id)
end

-- conclude writes the final status, once, with its event, its place among the
-- results that are not acknowledged, and its first delivery where one was asked for.
-- record and document are for how many ms they are kept. What a repetition must
-- know stays: the vendor id, when the last byte was let go, and until when a late
-- upload may still arrive.
local function conclude(id, status, record, document)
  release()
  put('ftok', call(), 'fin', int(now), 'exp', int(now + record),
    'dexp', int(now + math.min(record, document)), 'seq', int(num('seq') + 1))
  if get('ugone') ~= '' then drop('uexp') end
  drop('ph', 'step', 'bc', 'due', 'hint', 'hn', 'ht', 'ltok', 'wait', 'ugone', 'unc', 'ny', 'pn', 'hl')
  redis.call('DEL', U)
  redis.call('ZREM', INFLIGHT, id)
  redis.call('ZADD', DUE, int(after()), id)
  redis.call('ZADD', READY, int(now), id)
  if get('cb') == '1' then
    put('d0', int(now))
    deliver(id, now, 'scheduled')
  end
  move(id, status)
end
