-- Prolong leases of one shard; return the places, from 0, of those that are not held any more.

local leases = KEYS[1]
local lapses = now() + tonumber(ARGV[1])
local held, lost = {}, {}
for at = 2, #ARGV, 3 do
  local id, owner, term = unpack(ARGV, at, at + 2)
  local lease = read_lease(leases, id)
  if is_held(lease, owner, term) then
    lease.lapses = math.max(lease.lapses, lapses)
    held[id] = lease
  else
    lost[#lost + 1] = (at - 2) / 3
  end
end
for id, lease in pairs(held) do
  write_lease(leases, id, lease)
end
return lost
