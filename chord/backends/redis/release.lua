-- Give one lease back, and its open mark with it; return 0 if the token is not current.

local leases = KEYS[1]
local id, owner, term = unpack(ARGV)
if not is_held(read_lease(leases, id), owner, term) then return 0 end
return call('HDEL', leases, id)
