-- Carry out one batch on one context, or say why not. All checks come before the first write.

local meta, log, snapshot, operations, ages, names, due, trim, leases, staged = unpack(KEYS)
local id, expect_epoch, expect_version, epoch, version, updated_at = unpack(ARGV, 1, 6)
local owner, term, ttl = unpack(ARGV, 7, 9)
local snapshot_version, trim_to = tonumber(ARGV[10]), tonumber(ARGV[11])
local forget_operations, forget_before, most = ARGV[12] == '1', tonumber(ARGV[13]), tonumber(ARGV[14])
local first_entry, count = tonumber(ARGV[15]), tonumber(ARGV[16])
local ENTRIES, OPERATIONS = 17, 17 + count

local fenced, deletes = term ~= '0', epoch == ''
local continues = not deletes and epoch == expect_epoch
local leaves_out = continues and first_entry > tonumber(expect_version) + 1

-- 1. the lease
local lease = read_lease(leases, id)
local time = lease and now()
if fenced then
  if not is_held(lease, owner, term) then return {'fenced'} end
elseif lease and lease.lapses > time then
  return {'owned', lease.owner, lease.address}
end

-- 2. the operations, three arguments each: id, time, version
for at = OPERATIONS, #ARGV, 3 do
  local known = call('HGET', operations, ARGV[at])
  if known and read_time(operations, known) >= forget_before then return {'duplicate', ARGV[at]} end
end

-- 3. the head
local head = read_head(meta, log)
local past_mark = lease and lease.open and not fenced and continues
local differs = not head and expect_epoch ~= ''
  or head and (head.epoch ~= expect_epoch or head.version ~= tonumber(expect_version))
if differs or past_mark then
  return {'conflict', head and head.epoch or '', head and head.version or 0}
end
local takes = staged and call('EXISTS', staged) == 1
if staged and not takes and (leaves_out or not continues) then return {'unstaged'} end
-- What is written below is looked at first, as a script that fails halfway is not undone. Left out
-- is what the first write itself shows to be in order, and what was read above.
local aged = call('ZCARD', ages)
call('ZCARD', trim)
if aged > 0 or #ARGV >= OPERATIONS then call('HLEN', operations) end
if not continues then call('ZCARD', names) end

-- 4. the writes
if deletes then
  call('ZREM', due, id)
  call('UNLINK', meta, log, snapshot, operations, ages)
  for _, index in ipairs({names, trim}) do call('ZREM', index, id) end
else
  call('ZADD', due, updated_at, id)
  local now_head = {
    epoch = epoch, version = tonumber(version), updated_at = updated_at,
    floor = head and head.floor, first = head and head.first, snapshot = head and head.snapshot,
  }
  if not continues then
    call('UNLINK', log)
    if forget_operations then call('UNLINK', operations, ages) end
    call('ZADD', names, 0, id)
    now_head.floor, now_head.first, now_head.snapshot = first_entry, first_entry, 0
  elseif leaves_out then
    call('UNLINK', log)
    now_head.first = first_entry
  end
  for from = ENTRIES, OPERATIONS - 1, 1000 do
    call('RPUSH', log, unpack(ARGV, from, math.min(from + 999, OPERATIONS - 1)))
  end
  if takes then
    call('PERSIST', staged)
    call('RENAME', staged, snapshot)
    now_head.snapshot = snapshot_version
  end
  local drop = math.min(trim_to, now_head.snapshot) - now_head.first + 1
  if drop > 0 then
    call('LTRIM', log, drop, -1)
    now_head.first = now_head.first + drop
  end
  call('HSET', meta, 'epoch', epoch, 'version', version, 'updated_at', updated_at,
    'floor', now_head.floor, 'first', now_head.first, 'snapshot', now_head.snapshot)

  local was, is = is_covered(head), is_covered(now_head)
  if is and not (was and continues and now_head.first == head.first) then
    call('ZADD', trim, read_time(log, call('LINDEX', log, 0)), id)
  elseif was and not is then
    call('ZREM', trim, id)
  end

  local function forget(old)
    if #old == 0 then return end
    call('ZREM', ages, unpack(old))
    for i, member in ipairs(old) do old[i] = member:sub(9) end
    call('HDEL', operations, unpack(old))
  end
  if forget_before > 0 and aged > 0 then
    repeat
      local old = call('ZRANGEBYSCORE', ages, '-inf', '(' .. ARGV[13], 'LIMIT', 0, 1000)
      forget(old)
    until #old < 1000
  end
  for at = OPERATIONS, #ARGV, 3 do
    local op_id, op_time, op_version = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2])
    call('HSET', operations, op_id, struct.pack('>dI8', tonumber(op_time), op_version) .. epoch)
    call('ZADD', ages, op_time, struct.pack('>I8', op_version) .. op_id)
  end
  if #ARGV >= OPERATIONS then
    local excess = call('ZCARD', ages) - most
    for from = 1, excess, 1000 do
      forget(call('ZRANGE', ages, 0, math.min(excess - from, 999)))
    end
  end
end

if fenced then
  lease.lapses = math.max(lease.lapses, time + tonumber(ttl))
  write_lease(leases, id, lease)
elseif lease then
  call('HDEL', leases, id)
end
return 1
