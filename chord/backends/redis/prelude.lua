-- What the scripts share; it is put in front of each. Times are microseconds of the server's clock.

local function corrupt(key)
  error('CORRUPT ' .. key, 0)
end

-- As redis.call, but a key of the wrong type is told by name.
local function call(command, key, ...)
  local reply = redis.pcall(command, key, ...)
  if type(reply) == 'table' and reply.err then
    if reply.err:find('WRONGTYPE', 1, true) then corrupt(key) end
    error(reply.err, 0)
  end
  return reply
end

local function now()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
end

-- A lease is one value of the shard's hash: when it lapses, term, open mark, owner, address.
local function read_lease(leases, id)
  local packed = call('HGET', leases, id)
  if not packed then return nil end
  local sound, lapses, term, open, owner, rest = pcall(struct.unpack, '>I8I8BI2c0', packed)
  if not sound then corrupt(leases) end
  return {
    lapses = lapses, term = term, open = open == 1, owner = owner, address = packed:sub(rest),
  }
end

local function write_lease(leases, id, lease)
  local open = lease.open and 1 or 0
  local packed = struct.pack('>I8I8BI2c0', lease.lapses, lease.term, open, #lease.owner, lease.owner)
  call('HSET', leases, id, packed .. lease.address)
end

local function is_held(lease, owner, term)
  return lease and lease.owner == owner and lease.term == tonumber(term)
end

-- The head of a context, nil where there is none; its log must hold all of `first` to `version`.
local function read_head(meta, log)
  local fields = call('HMGET', meta, 'epoch', 'version', 'updated_at', 'floor', 'first', 'snapshot')
  if not fields[1] then
    if call('EXISTS', meta) == 1 then corrupt(meta) end
    return nil
  end
  local head = {
    epoch = fields[1], version = tonumber(fields[2]), updated_at = fields[3],
    floor = tonumber(fields[4]), first = tonumber(fields[5]), snapshot = tonumber(fields[6]),
  }
  if not (head.version and head.updated_at and head.floor and head.first and head.snapshot) then
    corrupt(meta)
  end
  if call('LLEN', log) ~= head.version - head.first + 1 then corrupt(log) end
  return head
end

-- The trim index tells when the oldest entry is from, where a snapshot covers it and it isn't alone.
local function is_covered(head)
  return head ~= nil and head.first <= head.snapshot and head.first < head.version
end

-- The time that a value begins with.
local function read_time(key, value)
  if #value < 8 then corrupt(key) end
  return (struct.unpack('>d', value))
end

-- What a load returns, without the first `skip` entries.
local function tell(head, log, skip, unclean, state, operations)
  return {
    head.epoch, head.version, head.updated_at, head.floor, unclean and 1 or 0,
    head.snapshot, state, call('LRANGE', log, skip, -1), operations,
  }
end
