-- Logging in on another device (RFC 8628): an address and a short code are shown, and the network
-- is asked again and again until the owner has typed the code there.
--
--   local answer = device.wait(ui, { address = "https://www.google.com/device",
--     code = "GQVQ-JKEC", seconds = 1800, interval = 5, poll = function() … end })
local system = require "daub.core.system"

local M = {}

local LONGEST = 1800  -- seconds a code is waited for, whatever the network says
local SLOWEST = 60    -- seconds between two questions
local SLOWER = 5      -- seconds more after "slow_down" (RFC 8628, 3.5)

---Shows the code and waits for it to be typed.
---@param ui daub.login.Ui
---@param o {address: string, code: string, seconds: number, interval: number, poll: fun(): any,
--- string?, string?}  poll gives an answer, or nil, message and code: "pending" and "slow" go on
---@return any answer, string? message, string? code
function M.wait(ui, o)
  ui:open(o.address)
  ui:say(("and type this code there:  %s"):format(o.code))
  local interval = math.max(1, math.min(o.interval, SLOWEST))
  local ends = system.now() + math.min(o.seconds, LONGEST)
  while system.now() + interval < ends do
    local ok, message, code = ui:wait(interval, "waiting for the code to be typed")
    if not ok then return nil, message, code end
    local answer
    answer, message, code = o.poll()
    if answer ~= nil then return answer end
    if code == "slow" then
      interval = math.min(interval + SLOWER, SLOWEST)
    elseif code ~= "pending" then
      return nil, message, code
    end
  end
  return nil, "nobody typed the code in time (run it again)", "timeout"
end

return M
