-- Lua run in a process of its own, which does nothing else: what it takes can be told.
local json = require "daub.json"
local system = require "daub.core.system"

---What Lua code prints, one JSON object, run by another process of this program.
---@param code string
---@return table
return function(code)
  local process = assert(system.spawn({ system.realpath("/proc/self/exe"), "-e", code },
    { stdin = "null", stdout = "pipe" }))
  local text = {}
  for part in function() return process:read() end do text[#text + 1] = part end
  local status = process:wait()
  process:close()
  if status ~= 0 then error("a process of its own failed: " .. code, 0) end
  return json.decode(table.concat(text))
end
