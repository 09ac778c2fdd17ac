-- Talking with the person who logs in: lines, questions, secrets that are not shown.
--
--   local ui = ui.new(report)
--   local handle = ui:ask("Handle: ")
--   local password = ui:secret("App password: ")
--
-- Answers come from standard input, one a line, so that they can be piped in as well.
local progress = require "daub.progress"
local secrets = require "daub.secrets"
local system = require "daub.core.system"

local M = {}

---@class daub.login.Ui
local Ui = {}
Ui.__index = Ui

---@param report daub.progress.Reporter
---@return daub.login.Ui
function M.new(report)
  return setmetatable({ report = report }, Ui)
end

---A line that stays.
function Ui.say(_, line)
  io.stderr:write(progress.plain(secrets.redact(line)), "\n")
end

local function read_line()
  local line = io.read("*l")
  if system.interrupted() then return nil, "interrupted", "interrupted" end
  if not line then return nil, "no answer came (standard input has ended)", "input" end
  return (line:gsub("^%s+", ""):gsub("%s+$", ""))
end

---@return string|nil answer, string? message, string? code
function Ui.ask(_, prompt)
  progress.finish()
  io.stderr:write(prompt)
  return read_line()
end

-- Runs stty on the terminal of standard input.
local function stty(argument)
  local process = system.spawn({ "stty", argument }, { stderr = "null" })
  if process then
    process:wait(5)
    process:close()
  end
end

---An answer that is neither shown nor ever printed.
---@return string|nil answer, string? message, string? code
function Ui.secret(_, prompt)
  progress.finish()
  local terminal = system.isatty(0)
  if terminal then stty("-echo") end
  io.stderr:write(prompt)
  local ok, answer, message, code = pcall(read_line)
  if terminal then
    stty("echo")
    io.stderr:write("\n")
  end
  if not ok then error(answer, 0) end
  secrets.add(answer)
  return answer, message, code
end

---Yes or no; without a terminal no.
---@return boolean
function Ui:confirm(question)
  if not system.isatty(0) then return false end
  local answer = self:ask(question .. " [y/N] ")
  return answer ~= nil and answer:lower():match("^y") ~= nil
end

---Shows an address, and opens it in a browser where there is a display.
function Ui:open(url)
  self:say("Open this address in a browser:")
  self:say("  " .. url)
  if not os.getenv("DISPLAY") and not os.getenv("WAYLAND_DISPLAY") then return end
  local process = system.spawn({ "xdg-open", url }, { stdin = "null", stdout = "null",
    stderr = "null" })
  if process then
    process:wait(5)
    process:close()
  end
end

---Waits, showing how long still.
---@param seconds number
---@param line string  what for
---@return true|nil, string? message, string? code
function Ui:wait(seconds, line)
  local ends = system.now() + seconds
  while system.now() < ends do
    self.report:progress(("%s: %s"):format(line, progress.duration(ends - system.now())))
    if not system.sleep(math.min(1, ends - system.now())) or system.interrupted() then
      return nil, "interrupted", "interrupted"
    end
  end
  return true
end

return M
