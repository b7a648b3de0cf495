-- Drop the entries of one log up to a time that a snapshot covers, but the newest; return how many.

local meta, log, trim = unpack(KEYS)
local id, before = ARGV[1], tonumber(ARGV[2])

local head = read_head(meta, log)
call('ZCARD', trim)
local drop = 0
local time
if head then
  local most = math.min(head.snapshot + 1, head.version) - head.first
  while drop < most do
    time = read_time(log, call('LINDEX', log, drop))
    if time > before then break end
    drop = drop + 1
  end
  if drop == most then time = nil end
end

if drop > 0 then
  call('LTRIM', log, drop, -1)
  call('HSET', meta, 'first', head.first + drop)
end
if time then
  call('ZADD', trim, time, id)
else
  call('ZREM', trim, id)
end
return drop
