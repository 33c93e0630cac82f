-- Counts and judges in one step. A counters' key holds "hour day" and then, for each of eight
-- counters, what came in this bucket and in the one before; the first three are hourly.
-- KEYS: 1 account, 2 address or '', 3 networks, 4 recipients (a prefix), 5 suspended accounts
-- ARGV: 1 account, 2 peek | count | back | fail, 3 network or '', 4 messages, 5 recipients,
--       6 first-time recipients (back), 7 KiB, 8 recipients remembered at most, 9 how many
--       digests follow; 10..17 what bounds the account, 18..25 the address, -1 for nothing;
--       26.. digests
local HOUR, DAY, MOST = 3600, 86400, 4294967295
local now = tonumber(redis.call('TIME')[1])
local mode = ARGV[2]
local hour, day = math.floor(now / HOUR), math.floor(now / DAY)
local generation = math.floor(day / 90)

local function load_counters(key)
  local t = {}
  local text = key ~= '' and redis.call('GET', key)
  if text then
    for number in string.gmatch(text, '%d+') do t[#t + 1] = tonumber(number) end
  end
  if #t ~= 18 then
    t = { hour, day }
    for i = 3, 18 do t[i] = 0 end
  end
  for i = 3, 17, 2 do
    local buckets = i <= 7 and hour - t[1] or day - t[2]
    if buckets == 1 then
      t[i], t[i + 1] = 0, t[i]
    elseif buckets > 1 then
      t[i], t[i + 1] = 0, 0
    end
  end
  t[1], t[2] = math.max(t[1], hour), math.max(t[2], day)
  return t
end

local function store_counters(key, t)
  if key == '' then return end
  local text = {}
  for i = 1, 18 do text[i] = string.format('%.0f', t[i]) end
  redis.call('SET', key, table.concat(text, ' '), 'EX', 2 * DAY)
end

local function count_of(t, counter)
  local length = counter < 3 and HOUR or DAY
  local i = 3 + 2 * counter
  return t[i] + math.ceil(t[i + 1] * (length - now % length) / length)
end

local messages, recipients, kib = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[7])
local first = 0
local young = KEYS[4] .. ':' .. generation
local old = KEYS[4] .. ':' .. (generation - 1)
for i = 26, 25 + tonumber(ARGV[9]) do
  if redis.call('SISMEMBER', young, ARGV[i]) == 0
    and redis.call('SISMEMBER', old, ARGV[i]) == 0 then
    first = first + 1
  end
end
local added = { messages, recipients, 0, messages, recipients, first, kib, 0 }

local account, address = load_counters(KEYS[1]), load_counters(KEYS[2])

if mode == 'back' or mode == 'fail' then
  if mode == 'back' then added[6] = tonumber(ARGV[6]) else added = { 0, 0, 1, 0, 0, 0, 0, 0 } end
  for _, entry in ipairs({ { KEYS[1], account }, { KEYS[2], address } }) do
    local key, t = entry[1], entry[2]
    for counter = 0, 7 do
      local i, count = 3 + 2 * counter, added[counter + 1]
      if mode == 'fail' then
        t[i] = math.min(t[i] + count, MOST)
      else
        local rest = math.max(count - t[i], 0)
        t[i], t[i + 1] = math.max(t[i] - count, 0), math.max(t[i + 1] - rest, 0)
      end
    end
    store_counters(key, t)
  end
  return 0
end

if ARGV[3] ~= '' then
  redis.call('ZADD', KEYS[3], now, ARGV[3])
  redis.call('ZREMRANGEBYRANK', KEYS[3], 0, -257)
  redis.call('EXPIRE', KEYS[3], HOUR)
end
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now - HOUR)
local networks = redis.call('ZRANGE', KEYS[3], 0, -1, 'WITHSCORES')

local suspended = redis.call('HEXISTS', KEYS[5], ARGV[1])
local blocked = suspended == 1
for counter = 0, 7 do
  local bound = tonumber(ARGV[10 + counter])
  if bound >= 0 then
    if counter == 7 then
      blocked = blocked or #networks / 2 > bound
    elseif added[counter + 1] > 0 or counter == 2 then
      blocked = blocked or count_of(account, counter) + added[counter + 1] > bound
    end
  end
  bound = tonumber(ARGV[18 + counter])
  if bound >= 0 and KEYS[2] ~= '' and counter < 7 and (added[counter + 1] > 0 or counter == 2) then
    blocked = blocked or count_of(address, counter) + added[counter + 1] > bound
  end
end

local before = { account, address }
local answer = { suspended, 0, now, first, {}, {}, networks }
for which = 1, 2 do
  for i = 1, 18 do answer[4 + which][i] = before[which][i] end
end

if mode == 'count' and not blocked then
  answer[2] = 1
  for counter = 0, 7 do
    local i = 3 + 2 * counter
    account[i] = math.min(account[i] + added[counter + 1], MOST)
    address[i] = math.min(address[i] + added[counter + 1], MOST)
  end
  store_counters(KEYS[1], account)
  store_counters(KEYS[2], address)
  local half = math.max(math.floor(tonumber(ARGV[8]) / 2), 1)
  for i = 26, 25 + tonumber(ARGV[9]) do
    if redis.call('SADD', young, ARGV[i]) == 1 and redis.call('SCARD', young) > half then
      redis.call('SPOP', young)
    end
  end
  if tonumber(ARGV[9]) > 0 then redis.call('EXPIRE', young, 180 * DAY) end
end
return answer
