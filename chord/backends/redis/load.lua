-- Tell what there is of one context, at one moment. It writes nothing.

local meta, log, snapshot, operations, leases = unpack(KEYS)
local id, after_epoch, after_version, every = unpack(ARGV, 1, 4)

local head = read_head(meta, log)
if not head then return false end

-- Only where the log does not reach back to `after` is the snapshot told here, for the script's
-- part in it costs the server several times what a GET does.
local skip, state = 0, false
if after_version ~= '' then
  local after = tonumber(after_version)
  local lowest = math.max(head.floor, head.first - 1)
  if after_epoch == head.epoch and after >= lowest and after <= head.version then
    skip = after - head.first + 1
  else
    state = call('GET', snapshot)
    if not state then corrupt(snapshot) end
  end
end

local known = {}
if every == '1' then
  known = call('HGETALL', operations)
else
  for at = 5, #ARGV do
    local value = call('HGET', operations, ARGV[at])
    if value then
      known[#known + 1] = ARGV[at]
      known[#known + 1] = value
    end
  end
end

local lease = read_lease(leases, id)
local unclean = lease and lease.open and lease.lapses <= now()
return tell(head, log, skip, unclean, state, known)
