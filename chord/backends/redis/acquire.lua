-- Take the lease of one context unless another owner's is live, and tell what there is of it.

local meta, log, _, operations, leases, terms = unpack(KEYS)
local id, owner, ttl, address, fresh_epoch = unpack(ARGV)

local time = now()
local lease = read_lease(leases, id)
if lease and lease.owner ~= owner and lease.lapses > time then
  return {'owned', lease.owner, lease.address}
end
local head = read_head(meta, log)
local marked = lease ~= nil and lease.open
local marks = fresh_epoch ~= ''
if head and marks and marked then
  head.epoch, head.floor = fresh_epoch, head.version
end
local told = head and tell(head, log, 0, marked and not marks, false, call('HGETALL', operations))
-- Not a mere count: a server that lost its data must not give an old term again.
local term = math.max(time, (tonumber(call('GET', terms)) or 0) + 1)

call('SET', terms, string.format('%.0f', term))
if head and marks and marked then
  call('HSET', meta, 'epoch', head.epoch, 'floor', head.floor)
end
write_lease(leases, id, {
  lapses = time + tonumber(ttl), term = term, open = marks or marked, owner = owner, address = address,
})
return {term, told or false}
